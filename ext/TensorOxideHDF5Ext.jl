# Lends the engine the library that HDF5.jl has loaded, and the lock that HDF5.jl holds around every call of it.
module TensorOxideHDF5Ext

using HDF5: HDF5
using TensorOxide: TensorOxide

__init__() = TensorOxide.lend_hdf5(TensorOxide.Libdl.dlpath(HDF5.API.libhdf5), HDF5.API.liblock)

end
