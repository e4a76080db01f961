# Which kernels an OpenBLAS computes with: it chooses them for the processor when it is loaded, unless the environment
# variable OPENBLAS_CORETYPE names them.
import Libdl

"The kernels of the OpenBLAS that this process has loaded, as it names them itself; `none` without an OpenBLAS."
function openblas_kernels()
    for path in filter(path -> occursin("openblas", basename(path)), Libdl.dllist())
        for name in (:openblas_get_corename64_, :openblas_get_corename)
            f = Libdl.dlsym(Libdl.dlopen(path), name; throw_error = false)
            f === nothing || return unsafe_string(ccall(f, Cstring, ()))
        end
    end
    return "none"
end

"""
The kernels that the peers' OpenBLAS shall use: `BENCHMARK_CORETYPE`, or SkylakeX where the processor has AVX-512, which
an older OpenBLAS may not know, or else what it chooses itself (`nothing`).
"""
function peers_coretype()
    haskey(ENV, "BENCHMARK_CORETYPE") && return ENV["BENCHMARK_CORETYPE"]
    return isfile("/proc/cpuinfo") && occursin("avx512vl", read("/proc/cpuinfo", String)) ? "SkylakeX" : nothing
end
