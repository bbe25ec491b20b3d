"""One training run's arrays, and the calls into compiled code that use them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from approxmm.activations import Activation, get_activation
from approxmm.engine.allowance import batch_bytes, rows_within
from approxmm.engine.backward import backward
from approxmm.engine.forward import forward
from approxmm.engine.layout import bias_of, flatten, make_layout, unflatten, units_of, weights_of
from approxmm.engine.ledger import make_ledger
from approxmm.engine.losses import evaluate, target_memory, target_rows
from approxmm.engine.optimizers import Collect, slot_count
from approxmm.engine.recipe import Recipe
from approxmm.engine.steps import StepRange, train_steps
from approxmm.engine.team import ALONE, Team, make_teams
from approxmm.engine.workspace import Sampling, Workspace, make_workspace
from approxmm.errors import InputError
from approxmm.methods.contract import Cost
from approxmm.methods.exact import ExactState
from approxmm.network import Network
from approxmm.random import Key, Stream, generator, make_key

__all__ = ["Session"]

_AT_ONCE = 1 << 16  # numbers that are looked at together, so that no array of answers is as long as the parameters


class Session:
    """The state of one run: parameters, the optimiser's memory, the method's index.

    Parameters
    ----------
    network : Network
        Initial parameters; copied.
    recipe : Recipe
    """

    path = "minibatch"

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.recipe = recipe
        self.method, self.optimizer, self.loss = recipe.method, recipe.optimizer, recipe.loss
        self.batch, self.seed, self.threads = recipe.batch, recipe.seed, recipe.threads
        self.dtype = np.dtype(recipe.dtype)
        self.activation_name, self.normalise = network.activation, network.normalise
        self.phi = _one_activation(network)
        self.layout, size = make_layout(network.widths)
        self.params = flatten(network, self.dtype)
        self.slots = np.zeros((slot_count(self.optimizer), size), dtype=self.dtype)
        self.sampled_layers = 0 if self.method.claims.exact else network.depth - 1
        self.work = self._workspace(self._rows(), self.threads)
        hidden = range(network.depth - 1)
        self.state = self.method.prepare(
            [weights_of(self.params, self.layout, k) for k in hidden],
            [bias_of(self.params, self.layout, k) for k in hidden],
            make_key(self.seed, Stream.BUILD, layer=1),
        )
        self.ledger = make_ledger(self.threads, network.depth)
        self._aside = make_ledger(1, network.depth)  # for passes that are no steps

    def _workspace(self, rows: int, threads: int) -> Workspace:
        targets = target_memory(self.loss, rows, int(self.layout.widths[-1]), self.dtype)
        return make_workspace(self.layout, targets, self.dtype, self.sampling(), threads)

    def _rows(self) -> int:
        """Return how many examples the workspace holds; the same for any number of threads.

        No result of an exact pass depends on it, bit for bit: every element is summed in one order.
        """
        parameters = self.params.nbytes + self.slots.nbytes
        needed = parameters + batch_bytes(self.layout, self.batch, self.dtype.itemsize)
        held = parameters + self.step_bytes()
        return rows_within(needed, held, self.together, lambda rows: self._workspace(rows, 1))

    @property
    def together(self) -> int:
        """Examples of a step whose products the workspace is for."""
        return self.batch

    def step_bytes(self) -> int:
        """Return the bytes that steps of one thread take besides the workspace."""
        return 0

    @property
    def depth(self) -> int:
        """Number of layers, the output layer included."""
        return int(self.layout.weight_at.size)

    def sampling(self, sampled: bool = True) -> Sampling:
        """Return the settings of a sampled or of an exact pass."""
        claims = self.method.claims
        layers = self.sampled_layers if sampled else 0
        return Sampling(
            layers,
            claims.side == "inner",
            claims.reads == "input",
            **self.recipe.draws(),
            normalise=self.normalise == "rms",
        )

    def statement(self, k: int, steps: int, examples: int) -> Cost:
        """Return what steps cost in sampled layer k besides its products, by the method's own statement.

        The products in it are not those that were counted.
        """
        each = self.method.cost(self.batch, int(self.layout.widths[k]), int(self.layout.widths[k + 1]))
        return Cost(each.product * steps, each.selection * self.recipe.draw_count * steps, each.upkeep * steps)

    def network(self, copy: bool = True) -> Network:
        """Return the present parameters as a network: copies, or views, which hold as long as nobody trains on."""
        return unflatten(self.params, self.layout, self.activation_name, self.normalise, copy)

    def epoch_order(self, examples: int, epoch: int) -> np.ndarray:
        """Return the order of examples in `epoch` (from 0): a function of seed and epoch alone."""
        return generator(make_key(self.seed, Stream.SHUFFLE, step=epoch)).permutation(examples)

    def run(self, x: np.ndarray, y: np.ndarray, steps: StepRange, losses: np.ndarray) -> int:
        """Take steps; return how many were taken (fewer than asked for after a loss that exploded).

        `y` are the classes (N,), or the target vectors (N, C) of a regression.
        """
        targets = target_rows(self.loss, y, self.dtype)
        if self.threads == 1:
            return self._run(x, targets, steps, losses, ALONE)
        with ThreadPoolExecutor(self.threads - 1) as pool:
            first, *others = make_teams(self.threads)
            running = [pool.submit(self._run, x, targets, steps, losses, team) for team in others]
            taken = self._run(x, targets, steps, losses, first)
            for thread in running:
                thread.result()
        return taken

    def _run(self, x: np.ndarray, targets: np.ndarray, steps: StepRange, losses: np.ndarray, team: Team) -> int:
        taken: int = train_steps(
            x,
            targets,
            steps,
            self.batch,
            self.params,
            self.slots,
            self.layout,
            self.phi,
            self.loss,
            self.optimizer,
            self.state,
            self.sampling(),
            self.seed,
            self.work,
            losses,
            self.ledger,
            team,
        )
        return taken

    def layers(
        self, x: np.ndarray, sampled: bool, item: int, params: np.ndarray | None = None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return views of every layer's (pre-activation, output) for a block of at most `batch` examples.

        The views are overwritten by the next pass. `item` numbers the draw; `params` are the present ones by default.
        """
        params = self.params if params is None else params
        key, sampling = Key(self.seed, Stream.PROBE, item, 0, 0), self.sampling(sampled)
        # An exact pass never asks the method: the same compiled code serves all methods.
        state = self.state if sampling.layers else ExactState()
        forward(x, params, self.layout, self.phi, state, sampling, key, self.work, self._aside, 0.0, ALONE)
        return [
            (units_of(self.work.pre, self.layout, k, len(x)), units_of(self.work.out, self.layout, k, len(x)))
            for k in range(self.depth)
        ]

    def gradient(self, x: np.ndarray, y: np.ndarray, sampled: bool, item: int) -> np.ndarray:
        """Return the gradient of the mean loss of at most `batch` examples, a new array (P,) laid out as `params`.

        Parameters
        ----------
        x : (B, n) array
        y : (B,) classes or (B, C) targets
        sampled : bool
            By the training's sampled products, or by exact ones.
        item : int
            Numbers the draw, which is that of `layers`.
        """
        scores = self.layers(x, sampled, item)[-1][1]
        delta = units_of(self.work.delta, self.layout, self.depth - 1, len(x))
        evaluate(self.loss, scores, target_rows(self.loss, y, self.dtype), delta)
        result = np.empty((1, self.params.size), dtype=self.dtype)
        way = (self.params, self.layout, self.phi, self.sampling(sampled), self.work)
        backward(x, *way, Collect(), result, 1.0, 1, self._aside, 0.0, ALONE)
        flat: np.ndarray = result[0]
        return flat

    def blocks(self, x: np.ndarray, size: int | None = None) -> Iterator[slice]:
        """Yield slices of `x` of the batch size (or of what the workspace holds), or of another one."""
        size = size or min(self.batch, len(self.work.rows))
        for start in range(0, len(x), size):
            yield slice(start, min(start + size, len(x)))

    def test_time_params(self) -> np.ndarray:
        """Return the parameters for exact products at test time.

        A law that is blind to the data and biased, such as unscaled dropout, makes every sampled unit smaller by a
        known factor on average, and the network was trained for that: the weights that the unit meets are multiplied
        by the factor (Srivastava et al. 2014). For all other laws, where the forward pass was exact, and where
        normalisation follows a mask and takes the factor out again, these are the present parameters.
        """
        claims = self.method.claims
        normalised = claims.side == "output" and self.normalise != "none"
        if claims.unbiased or claims.reads != "nothing" or "forward" not in self.recipe.sampled or normalised:
            return self.params
        params = self.params.copy()
        for k in range(self.sampled_layers):
            W = weights_of(params, self.layout, k)
            mean = self.method.scale_moments(np.ones(self.method.side_length(W)), W).mean
            met = weights_of(params, self.layout, k + 1 if claims.side == "output" else k)
            met *= mean[:, None].astype(self.dtype)
        return params

    def finite(self) -> bool:
        """Return whether all parameters are finite."""
        params = self.params
        return all(np.isfinite(params[at : at + _AT_ONCE]).all() for at in range(0, params.size, _AT_ONCE))

    def predict(self, x: np.ndarray, sampled: bool = False) -> np.ndarray:
        """Return the predicted class of each row, (B,) int64, by exact products or by the training's sampled path."""
        classes: np.ndarray = self.scores(x, sampled).argmax(axis=1)
        return classes

    def scores(self, x: np.ndarray, sampled: bool = False) -> np.ndarray:
        """Return the network's outputs (B, C), by exact products or by the training's sampled path."""
        result = np.empty((len(x), int(self.layout.widths[-1])), dtype=self.dtype)
        params = self.params if sampled else self.test_time_params()
        for number, rows in enumerate(self.blocks(x, None if sampled else len(self.work.rows))):
            result[rows] = self.layers(x[rows], sampled, number, params)[-1][1]
        return result

    def accuracy(self, x: np.ndarray, y: np.ndarray, sampled: bool = False) -> float:
        """Return the fraction of rows whose class is predicted right."""
        return float((self.predict(x, sampled) == y).mean())


def _one_activation(network: Network) -> Activation:
    if not isinstance(network.activation, str):
        raise InputError(
            f"activation={network.activation!r}: training needs the same activation in all hidden layers; "
            "give the network one name"
        )
    return network.phis[0] if network.phis else get_activation(network.activation)
