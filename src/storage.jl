# Tensors in HDF5 files, and what else a calculation keeps.

include("storage/library.jl")
include("storage/file.jl")
include("storage/values.jl")
include("storage/itensor.jl")
