"""The table of data sets in IDX files: where they are, what they must be, whom to cite.

Checksums of the archives are those of TensorFlow Datasets (sha256, sizes), for
the same files that torchvision lists by md5. Checksums of the uncompressed
content let a file pass that somebody unpacked or compressed anew; for MNIST
they were computed from the files and agree with published ones, for
Fashion-MNIST they are published md5 sums, for the others none are known.
"""

from __future__ import annotations

import string

from approxmm.data.mnist_family import IdxSource
from approxmm.data.source import Archive, DataFile

__all__ = ["IDX_SOURCES"]

_MNIST = IdxSource(
    name="mnist",
    title="MNIST, handwritten digits",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    train_images=DataFile(
        "train-images-idx3-ubyte",
        9912422,
        "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "sha256:ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    train_labels=DataFile(
        "train-labels-idx1-ubyte",
        28881,
        "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "sha256:65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    test_images=DataFile(
        "t10k-images-idx3-ubyte",
        1648877,
        "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "sha256:0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    test_labels=DataFile(
        "t10k-labels-idx1-ubyte",
        4542,
        "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "sha256:ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    counts=(60_000, 10_000),
    classes=tuple(string.digits),
    homepage="http://yann.lecun.com/exdb/mnist/",
    citation="Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition, "
    "Proc. IEEE 86(11), 1998",
    licence="CC BY-SA 3.0, as its redistributors state",
)

_FASHION = IdxSource(
    name="fashion_mnist",
    title="Fashion-MNIST, articles of clothing",
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    train_images=DataFile(
        "train-images-idx3-ubyte",
        26421880,
        "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a",
    ),
    train_labels=DataFile(
        "train-labels-idx1-ubyte",
        29515,
        "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "md5:9018921c3c673c538a1fc5bad174d6f9",
    ),
    test_images=DataFile(
        "t10k-images-idx3-ubyte",
        4422102,
        "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "md5:8181f5470baa50b63fa0f6fddb340f0a",
    ),
    test_labels=DataFile(
        "t10k-labels-idx1-ubyte",
        5148,
        "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "md5:15d484375f8d13e6eb1aabb0c3f46965",
    ),
    counts=(60_000, 10_000),
    classes=("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    citation="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine "
    "learning algorithms, arXiv:1708.07747, 2017",
    licence="MIT",
)

_KMNIST = IdxSource(
    name="kmnist",
    title="Kuzushiji-MNIST, cursive Japanese characters",
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    train_images=DataFile(
        "train-images-idx3-ubyte",
        18165135,
        "sha256:51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    ),
    train_labels=DataFile(
        "train-labels-idx1-ubyte",
        29497,
        "sha256:e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    ),
    test_images=DataFile(
        "t10k-images-idx3-ubyte",
        3041136,
        "sha256:edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    ),
    test_labels=DataFile(
        "t10k-labels-idx1-ubyte",
        5120,
        "sha256:20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    ),
    counts=(60_000, 10_000),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    homepage="http://codh.rois.ac.jp/kmnist/",
    citation="T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto and D. Ha, Deep learning for classical "
    "Japanese literature, arXiv:1812.01718, 2018",
    licence="CC BY-SA 4.0",
)

_EMNIST_LETTERS = IdxSource(
    name="emnist_letters",
    title="EMNIST Letters, handwritten letters",
    mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"),
    train_images=DataFile("emnist-letters-train-images-idx3-ubyte"),
    train_labels=DataFile("emnist-letters-train-labels-idx1-ubyte"),
    test_images=DataFile("emnist-letters-test-images-idx3-ubyte"),
    test_labels=DataFile("emnist-letters-test-labels-idx1-ubyte"),
    counts=(124_800, 20_800),
    classes=tuple(string.ascii_lowercase),
    homepage="https://www.nist.gov/itl/products-and-services/emnist-dataset",
    citation="G. Cohen, S. Afshar, J. Tapson and A. van Schaik, EMNIST: an extension of MNIST to handwritten letters, "
    "arXiv:1702.05373, 2017",
    licence="derived from NIST Special Database 19; see its homepage",
    first_label=1,
    transposed=True,
    archive=Archive(
        "gzip.zip",
        561753746,
        "sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        "gzip/",
    ),
)

IDX_SOURCES = (_MNIST, _FASHION, _KMNIST, _EMNIST_LETTERS)
"""The sets, in the order of the list."""
