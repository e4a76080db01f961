# An MPI library as MPI.jl would load it: opened, initialised, and its handles as the header mpi.h has them.

using Libdl, TensorOxide

"Opens what is listed in a folder that deps/mpi.sh has made, and returns the handle of the last, the MPI library."
function open_library(folder)
    left = libraries = readlines(joinpath(folder, "libraries"))
    # Some of them can be opened only after others.
    while !isempty(left)
        later = filter(file -> dlopen(file, RTLD_LAZY | RTLD_GLOBAL; throw_error = false) === nothing, left)
        length(later) < length(left) || error("cannot open $(first(left))")
        left = later
    end
    return dlopen(last(libraries))
end

address(x) = Ptr{Cvoid}(UInt(x))

"Handles and constants of the library of the name that its folder has."
handles(library, name) =
    name == "mpich" ? (comm = 0x44000000 % Int32, byte = 0x4c00010d % Int32, errors_return = 0x54000001 % Int32,
                       any_source = -2, thread_serialized = 2) :
    name == "openmpi" ? (comm = dlsym(library, :ompi_mpi_comm_world), byte = dlsym(library, :ompi_mpi_byte),
                         errors_return = dlsym(library, :ompi_mpi_errors_return), any_source = -1,
                         thread_serialized = 2) :
    name == "abi" ? (comm = address(0x101), byte = address(0x247), errors_return = address(0x143), any_source = -1,
                     thread_serialized = 2048) : error("no library $name")

call(library, name) = ccall(dlsym(library, name), Cint, ())

"MPI for calls from the main thread only, which is the least that it may be initialised for."
function initialise(library)
    ccall(dlsym(library, :MPI_Init), Cint, (Ptr{Cvoid}, Ptr{Cvoid}), C_NULL, C_NULL) == 0 || error("MPI_Init failed")
end
