import pytest

from approxmm import proofs


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("proofs-cache")


@pytest.fixture(scope="session")
def results(cache_dir):
    return proofs.prove(workers=2, cache_dir=cache_dir)
