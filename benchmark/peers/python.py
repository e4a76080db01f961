"""NumPy or PyTorch, each through opt_einsum, as a peer of the benchmark: python.py numpy|torch THREADS.

Answers the requests that ../peers.jl describes. Arrays are row-major.
"""

import ctypes
import gc
import sys
import time

import numpy as np
import opt_einsum

DTYPES = {"f32": np.float32, "f64": np.float64, "c32": np.complex64, "c64": np.complex128}


class NumPy:
    name = "numpy"

    def __init__(self, threads):
        pass  # OPENBLAS_NUM_THREADS says it

    def about(self):
        return f"NumPy {np.__version__} on OpenBLAS with {openblas_kernels()} kernels, opt_einsum {opt_einsum.__version__}"

    def array(self, values):
        return values

    def values(self, array):
        return array

    def binary(self, expression, operands):
        """NumPy's own function for two operands, where opt_einsum may choose another."""
        return lambda: np.einsum(expression, *operands, optimize=True)

    def empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def copy(self, out, view):
        np.copyto(out, view)

    def fresh(self, view):
        return np.ascontiguousarray(view)

    def linalg(self):
        return np.linalg


class Torch:
    name = "torch"

    def __init__(self, threads):
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def about(self):
        config = self.torch.__config__.show()
        blas = "MKL" if "Math Kernel Library" in config else "its own BLAS"
        return f"PyTorch {self.torch.__version__.split('+')[0]} on {blas}"

    def array(self, values):
        return self.torch.from_numpy(values)

    def values(self, array):
        return array.numpy()

    def binary(self, expression, operands):
        return lambda: self.torch.einsum(expression, *operands)

    def empty(self, shape, dtype):
        return self.torch.empty(shape, dtype=self.torch.from_numpy(np.empty(0, dtype)).dtype)

    def copy(self, out, view):
        out.copy_(view)

    def fresh(self, view):
        return view.contiguous()

    def linalg(self):
        return self.torch.linalg

    def gradient(self, operation, arrays):
        """Value and gradient of a loss; what else than A there is weighs its terms. Of a network all arrays are variables."""
        torch, losses = self.torch, LOSSES
        variables = arrays if operation == "mps" else arrays[:1]

        def call():
            with torch.enable_grad():
                leaves = [a.detach().requires_grad_() for a in variables]
                loss = losses[operation](torch, *leaves, *arrays[len(leaves) :])
                return torch.autograd.grad(loss, leaves)[0]

        return call


def svd_loss(torch, a, c):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    return ((u @ vh) * c.conj()).real.sum() + s.sum()


def qr_loss(torch, a, c, d):
    q, r = torch.linalg.qr(a)
    return (c.real * abs2(q)).sum() + (d.real * abs2(r)).sum()


def eigh_loss(torch, a, c):
    w, v = torch.linalg.eigh(a)
    return (c.real * abs2(v)).sum() + w.sum()


def solve_loss(torch, a, b, c):
    return (c.conj() * torch.linalg.solve(a, b)).real.sum()


def mps_loss(torch, *sites):
    """The squared norm of a chain whose sites, row-major, have the axes right, physical, left."""
    e = sites[0].new_ones((1, 1))
    for a in sites:
        e = torch.einsum("rpk,spk->rs", torch.einsum("lk,rpl->rpk", e, a), a.conj())
    return e.real.sum()


def abs2(x):
    return (x * x.conj()).real


LOSSES = {"svd": svd_loss, "qr": qr_loss, "eigh": eigh_loss, "solve": solve_loss, "mps": mps_loss}


def openblas_kernels():
    """The kernels that NumPy's OpenBLAS chose for this processor, as OpenBLAS itself names them."""
    with open("/proc/self/maps") as maps:
        libraries = {line.split()[-1] for line in maps if "openblas" in line}
    for path in libraries:
        library = ctypes.CDLL(path)
        for prefix in ("", "scipy_"):
            for suffix in ("", "64_", "_64_"):
                corename = getattr(library, f"{prefix}openblas_get_corename{suffix}", None)
                if corename:
                    corename.restype = ctypes.c_char_p
                    return corename().decode()
    return "unknown"


# What of a result has one value whoever computed it.
SHOWN = {
    "svd": lambda r, values: values(r[1]),
    "qr": lambda r, values: abs(np.diagonal(values(r[1]), axis1=-2, axis2=-1)),
    "eigh": lambda r, values: values(r[0]),
    "eig": lambda r, values: np.sort(abs(values(r[0])), axis=-1),
    "solve": lambda r, values: values(r),
}


class Peer:
    def __init__(self, library):
        self.library = library
        self.calls = {}
        self.shown = {}  # what `write` writes of the result, if not all of it

    def about(self):
        return self.library.about()

    def contract(self, id, eltype, expression, shapes, path, file):
        shapes = [integers(shape, "x") for shape in shapes.split(";")]
        path = [tuple(integers(step, ",")) for step in path.split(";")]
        operands = [self.library.array(a) for a in read(file, DTYPES[eltype], shapes)]
        planned = opt_einsum.contract_expression(expression, *shapes, optimize=path)
        call = lambda: planned(*operands, backend=self.library.name)
        if len(operands) == 2:
            call = min(call, self.library.binary(expression, operands), key=lambda f: seconds_per_call(f, 0.01))
        self.calls[id] = call

    def permute(self, id, eltype, shape, permutation, output, file):
        shape, permutation = integers(shape, "x"), integers(permutation, ",")
        array = self.library.array(read(file, DTYPES[eltype], [shape])[0])
        view = array.transpose(permutation) if self.library.name == "numpy" else array.permute(permutation)
        if output == "fresh":
            self.calls[id] = lambda: self.library.fresh(view)
            return
        out = self.library.empty(tuple(view.shape), DTYPES[eltype])

        def call():
            self.library.copy(out, view)
            return out

        self.calls[id] = call

    def linalg(self, id, operation, eltype, shapes, file):
        shapes = [integers(shape, "x") for shape in shapes.split(";")]
        arrays = read(file, DTYPES[eltype], [shape[::-1] for shape in shapes])
        views = [self.library.array(a.swapaxes(-1, -2) if a.ndim > 1 else a) for a in arrays]
        options = {"full_matrices": False} if operation == "svd" else {}
        function = getattr(self.library.linalg(), operation)
        self.calls[id] = lambda: function(*views, **options)
        self.shown[id] = SHOWN[operation]

    def gradient(self, id, operation, eltype, shapes, file):
        shapes = [integers(shape, "x") for shape in shapes.split(";")]
        arrays = read(file, DTYPES[eltype], [shape[::-1] for shape in shapes])
        views = [self.library.array(a.swapaxes(-1, -2) if a.ndim == 2 else a) for a in arrays]
        self.calls[id] = self.library.gradient(operation, views)
        self.shown[id] = lambda g, values: values(g).swapaxes(-1, -2) if g.ndim == 2 else values(g)

    def time(self, id, least):
        return repr(seconds_per_call(self.calls[id], float(least)))

    def write(self, id, file):
        result = self.calls[id]()
        values = self.library.values
        shown = self.shown[id](result, values) if id in self.shown else values(result)
        np.ascontiguousarray(shown).tofile(file)

    def forget(self, id):
        del self.calls[id]
        self.shown.pop(id, None)


def integers(text, separator):
    return [int(n) for n in text.split(separator) if n]


def read(file, dtype, shapes):
    """The arrays that lie one after another in the file."""
    with open(file, "rb") as data:
        return [np.fromfile(data, dtype, int(np.prod(shape))).reshape(shape) for shape in shapes]


def seconds_per_call(call, least):
    """The mean over as many calls as take `least` seconds. What a call returns is given back outside the clock."""
    n = 1
    while True:
        total = 0.0
        if n == 1:
            start = time.perf_counter()
            result = call()
            total = time.perf_counter() - start
            del result
        else:
            start = time.perf_counter()
            for _ in range(n):
                call()
            total = time.perf_counter() - start
        if total >= least:
            return total / n
        n = max(2 * n, int(n * least / max(total, 1e-9)) + 1)


def main():
    library = {"numpy": NumPy, "torch": Torch}[sys.argv[1]](int(sys.argv[2]))
    peer = Peer(library)
    gc.disable()
    for line in sys.stdin:
        request, *arguments = line.rstrip("\n").split("\t")
        try:
            answer = getattr(peer, request)(*arguments)
            print("ok", answer or "", sep="\t", flush=True)
        except Exception as error:
            print("error", f"{type(error).__name__}: {error}".replace("\n", " "), sep="\t", flush=True)


main()
