# What the tests of files need: an HDF5 library and, to read and write the same files, a Python with h5py. deps/hdf5.sh
# finds or obtains them.

"Paths by name: `debian` and `bundled`, libraries of HDF5, and `h5py`, a Python."
const HDF5_TOOLS = Dict{String,String}()

function find_hdf5_tools()
    root = dirname(@__DIR__)
    Sys.which("sh") === nothing && return nothing
    for line in eachline(`sh $(joinpath(root, "deps", "hdf5.sh")) $(joinpath(root, ".tools", "hdf5"))`)
        fields = split(line, '\t')
        length(fields) == 2 ? (HDF5_TOOLS[fields[1]] = fields[2]) : println("left out: ", join(fields, ' '))
    end
end
isempty(HDF5_TOOLS) && find_hdf5_tools()

# Where these tests run by themselves, everything has to be there.
get(ENV, "CI", "") == "true" && Sys.islinux() && !haskey(HDF5_TOOLS, "h5py") && error("h5py could not be had")

"Run a Python program with h5py on files; `true` where there is none, as where it succeeds."
function python(program, files...)
    haskey(HDF5_TOOLS, "h5py") || return true
    return success(pipeline(`$(HDF5_TOOLS["h5py"]) -c $program $(collect(files))`; stderr = stderr))
end

"The library to test with: Debian's, h5py's, or the one that is named, or that the system has."
function load_test_hdf5()
    given = get(ENV, "TENSOROXIDE_HDF5", "")
    path = isempty(given) ? get(HDF5_TOOLS, "debian", get(HDF5_TOOLS, "bundled", "")) : given
    return isempty(path) ? TensorOxide.load_hdf5() : TensorOxide.load_hdf5(path)
end
