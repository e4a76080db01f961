# A driver for MatrixAlgebraKit's algorithms. Each method hands its arrays to src/frontends/driver.jl, once it is sure that no
# option asks for what the engine does not offer. Algorithms that are not here are refused by MatrixAlgebraKit itself.
module TensorOxideMatrixAlgebraKitExt

import MatrixAlgebraKit as MAK
using MatrixAlgebraKit: diagview
using TensorOxide: TensorOxide, driver_eig_full!, driver_eig_vals!, driver_eigh_full!, driver_eigh_vals!, driver_lq!,
                   driver_lq_null!, driver_qr!, driver_qr_null!, driver_schur_full!, driver_schur_vals!,
                   driver_svd_compact!, driver_svd_full!, driver_svd_vals!

struct Driver <: MAK.Driver end
TensorOxide.TensorOxideDriver() = Driver()
Base.show(io::IO, ::Driver) = print(io, "TensorOxideDriver()")

"An error that names these options, if there are any."
refuse(; options...) = isempty(options) || throw(ArgumentError(
    "TensorOxideDriver() does not offer " * join((string(k, " = ", repr(v)) for (k, v) in options), ", ")))

# The gauge that the engine fixes is MatrixAlgebraKit's.
for method in (:safe_divide_and_conquer, :divide_and_conquer)
    name(f) = Symbol(f, :_, method, :!)
    @eval function MAK.$(name(:svd_compact))(::Driver, A, U, S, Vᴴ; fixgauge::Bool = true, options...)
        refuse(; options...)
        driver_svd_compact!(A, U, diagview(S), Vᴴ)
        return U, S, Vᴴ
    end
    @eval function MAK.$(name(:svd_full))(::Driver, A, U, S, Vᴴ; fixgauge::Bool = true, options...)
        refuse(; options...)
        return driver_svd_full!(A, U, S, Vᴴ)
    end
    @eval function MAK.$(name(:svd_vals))(::Driver, A, S; fixgauge::Bool = true, options...)
        refuse(; options...)
        return driver_svd_vals!(A, S)
    end
end

for method in (:mrrr, :divide_and_conquer)
    name(f) = Symbol(f, :_, method, :!)
    @eval function MAK.$(name(:eigh_full))(::Driver, A, DV; fixgauge::Bool = true, hermitian_tol = 0, options...)
        refuse(; options...)
        driver_eigh_full!(A, diagview(DV[1]), DV[2])
        return DV
    end
    @eval function MAK.$(name(:eigh_vals))(::Driver, A, D; fixgauge::Bool = true, hermitian_tol = 0, options...)
        refuse(; options...)
        return driver_eigh_vals!(A, D)
    end
end

# MatrixAlgebraKit's checks of the outputs write their messages before they know of an error, which takes as long as a
# decomposition of 4×4. The engine checks sizes and elements too. Keywords are sorted: `driver` is the first of these.
const Keywords = NamedTuple{<:Any,<:Tuple{Driver,Vararg{Any}}}
const SVD = Union{MAK.SafeDivideAndConquer{<:Keywords},MAK.DivideAndConquer{<:Keywords}}
const Eigh = Union{MAK.RobustRepresentations{<:Keywords},MAK.DivideAndConquer{<:Keywords}}
MAK.check_input(::typeof(MAK.svd_compact!), A::AbstractMatrix, USVᴴ, ::SVD) = nothing
MAK.check_input(::typeof(MAK.svd_vals!), A::AbstractMatrix, S, ::SVD) = nothing
MAK.check_input(::typeof(MAK.eigh_full!), A::AbstractMatrix, DV, alg::Eigh) = MAK.check_hermitian(A, alg)
MAK.check_input(::typeof(MAK.eigh_vals!), A::AbstractMatrix, D, alg::Eigh) = MAK.check_hermitian(A, alg)

function MAK.eig_full_qr_iteration!(::Driver, A, DV; fixgauge::Bool = true, scale = true, permute = true,
                                    options...)
    scale && permute || refuse(; scale, permute)
    refuse(; options...)
    driver_eig_full!(A, diagview(DV[1]), DV[2])
    return DV
end
function MAK.eig_vals_qr_iteration!(::Driver, A, D; fixgauge::Bool = true, scale = true, permute = true,
                                    options...)
    scale && permute || refuse(; scale, permute)
    refuse(; options...)
    return driver_eig_vals!(A, D)
end

function MAK.schur_full_qr_iteration!(::Driver, A, TZv; expert = false, options...)
    expert && refuse(; expert)
    refuse(; options...)
    driver_schur_full!(A, TZv...)
    return TZv
end
function MAK.schur_vals_qr_iteration!(::Driver, A, vals; expert = false, options...)
    expert && refuse(; expert)
    refuse(; options...)
    return driver_schur_vals!(A, vals)
end

for kind in (:qr, :lq)
    @eval function MAK.$(Symbol(kind, :_householder!))(::Driver, A, left, right; positive::Bool = true,
                                                       pivoted::Bool = false, blocksize::Int = 0)
        blocksize > 0 && refuse(; blocksize)
        return $(Symbol(:driver_, kind, :!))(A, left, right, pivoted)
    end
    @eval function MAK.$(Symbol(kind, :_null_householder!))(::Driver, A, N; positive::Bool = true,
                                                            pivoted::Bool = false, blocksize::Int = 0)
        blocksize > 0 && refuse(; blocksize)
        return $(Symbol(:driver_, kind, :_null!))(A, N, pivoted)
    end
end

end
