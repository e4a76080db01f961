# Decompositions: the names are MatrixAlgebraKit's, the conventions those of the written standard.

include("linalg/stack.jl")
include("linalg/svd.jl")
include("linalg/qr.jl")
include("linalg/lq.jl")
include("linalg/polar.jl")
include("linalg/eigh.jl")
include("linalg/functions.jl")
include("linalg/norms.jl")
include("linalg/lu.jl")
include("linalg/cholesky.jl")
include("linalg/solve.jl")
include("linalg/lstsq.jl")
