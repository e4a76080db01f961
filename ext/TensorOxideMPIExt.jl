# An `MPI.Comm` of MPI.jl as a communicator of the engine: the library that MPI.jl has loaded, and its handles.

module TensorOxideMPIExt

using MPI: MPI, API
using TensorOxide: TensorOxide, Communicator

# The duplicate of a communicator is made once: all ranks have to make it together.
const COMMUNICATORS = IdDict{MPI.Comm,Communicator}()

function TensorOxide.communicator(comm::MPI.Comm; timeout::Real = 120)
    return TensorOxide.remembered!(COMMUNICATORS, comm) do
        TensorOxide.communicator(API.libmpi_handle; comm = comm.val, byte = MPI.BYTE.val,
                                 errors_return = MPI.ERRORS_RETURN.val, any_source = MPI.ANY_SOURCE,
                                 thread_serialized = MPI.THREAD_SERIALIZED.val, timeout = timeout)
    end
end

end
