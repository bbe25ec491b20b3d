"""The quick study's words: what each table holds and how it was measured."""

from __future__ import annotations

from approxmm.data.dataset import Dataset
from approxmm.studies.settings import QuickSettings

__all__ = ["CAPTIONS", "summarise"]

CAPTIONS = {
    "law": "The theorem of the negative result for constant ratios c of active to inactive sums: error of the norm "
    "(not squared), relative to the estimate, Π(1 + 1/c) − 1, and to the exact value, 1 − Π c/(c + 1).",
    "moments": "Random linear stacks (every product sampled, inputs: test images): E‖â − a‖²/E‖a‖² by exact "
    "second-moment recursion and by simulation with a 95 % interval.",
    "accuracy": "Test accuracy after training with sampled products (all but the output layer's), evaluated with exact "
    "products and along the same sampled path; every seed is one row.",
    "compounding": "Relative squared error of each layer's output as the next layer receives it, on the trained "
    "networks (first seed): compounding of the exact one-step errors (prediction), the theorem with measured ratios "
    "(law, as far as the ratios are positive), Monte Carlo with a 95 % interval (simulated), and the training engine's "
    "own measurement (training), all on the same validation images in minibatches of the training's size.",
    "ratios": "The theorem's ratio of active to inactive sums, measured on the trained networks: least squares over "
    "nodes and examples, and the quartiles of the nodes' own ratios. The theorem assumes one number.",
    "methods": "The sampling methods of this study, with their cost per product relative to the exact one "
    "(batch 20, 1000 × 1000, at this budget, selection and upkeep included).",
}


def summarise(settings: QuickSettings, data: Dataset) -> str:
    """Return the study in one paragraph."""
    return (
        f"Networks of {min(settings.depths)} to {max(settings.depths)} hidden ReLU layers of {settings.width} nodes "
        f"were trained on {data.title} for {settings.epochs} epochs, with every product but the output layer's sampled "
        f"at a budget of {settings.budget:.0%}, by each method and with {settings.seeds} seeds. On the trained "
        "networks the error that sampling adds to each layer was predicted from the exact moments of the sampling "
        "laws, simulated, and measured inside the training engine."
    )
