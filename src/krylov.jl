# Eigenvalues, exponentials and linear systems of linear maps, in the words of KrylovKit.jl. The engine holds the Krylov
# vectors and says what the map is to be applied to. Over a Julia function Julia steps it; over a planned contraction
# the engine runs by itself.

"""
    KrylovSpace{T}()

Memory for [`eigsolve`](@ref), [`exponentiate`](@ref) and [`linsolve`](@ref) over vectors of element type `T`, kept
from call to call: `space = s` makes a call use it, and a problem of no larger size takes no memory from the system.
One call at a time may use it. Without one, each call takes memory of its own.
"""
mutable struct KrylovSpace{T<:Element}
    handle::Ptr{Cvoid}
    function KrylovSpace{T}() where {T<:Element}
        handle = Ref{Ptr{Cvoid}}(C_NULL)
        krylov_create(dltype(T), handle)
        return finalizer(release, new{T}(handle[]))
    end
end

function release(space::KrylovSpace)
    krylov_destroy(space.handle)
    space.handle = C_NULL
    return nothing
end

Base.show(io::IO, ::KrylovSpace{T}) where {T} = print(io, "TensorOxide.KrylovSpace{", T, "}()")

"""
    PlannedMap(plan, operands...; free)

The linear map from operand number `free` of a [`contraction_plan`](@ref) to the plan's output, which has to be of the
same size; `operands` are all the others, in their order. Calling it, `map(x)`, applies it; [`eigsolve`](@ref),
[`exponentiate`](@ref) and [`linsolve`](@ref) run over it wholly in the engine.

Throws an `ArgumentError` for a number of operands that does not fit, or for operands of another element type than the
plan's; a `DimensionMismatch` for sizes that do not fit.

```jldoctest
julia> using TensorOxide

julia> A = [2.0 1.0; 1.0 2.0];

julia> plan = contraction_plan("ij,j->i", [(2, 2), (2,)]);

julia> map = TensorOxide.PlannedMap(plan, A; free = 2);

julia> map([1.0, -1.0])
2-element Vector{Float64}:
  1.0
 -1.0

julia> vals, vecs, info = TensorOxide.eigsolve(map, [1.0, 0.0], 1, :SR);

julia> round(vals[1]; digits = 12)
1.0
```
"""
struct PlannedMap{T,N,P<:ContractionPlan{T,N},O<:Tuple}
    plan::P
    operands::O
    free::Int
end

function PlannedMap(plan::ContractionPlan{T,N,M}, operands...; free::Integer) where {T,N,M}
    length(operands) == M - 1 && 1 <= free <= M || throw(ArgumentError(
        "the plan has $M operands: a map has $(M - 1) of them and leaves free one of 1 to $M, but here are " *
        "$(length(operands)), and free = $free"))
    for (k, A) in enumerate(operands)
        A isa AbstractArray{T} || throw(ArgumentError(
            "operand $(k + (k >= free)) is a $(typeof(A)); the plan needs an array with elements of type $T"))
        wanted = plan.sizes[k+(k >= free)]
        [size(A)...] == wanted || throw(DimensionMismatch(
            "operand $(k + (k >= free)) has size $(size(A)), but the plan needs $((wanted...,))"))
    end
    plan.sizes[free] == [plan.output_size...] || throw(DimensionMismatch(
        "the plan is no linear map of operand $free, whose size is $((plan.sizes[free]...,)): the output has size " *
        "$(plan.output_size)"))
    return PlannedMap{T,N,typeof(plan),typeof(operands)}(plan, operands, free)
end

(map::PlannedMap)(x) = map.plan(map.operands[1:map.free-1]..., x, map.operands[map.free:end]...)

Base.show(io::IO, map::PlannedMap) = print(io, "PlannedMap(", map.plan, "; free = ", map.free, ")")

"""
    ConvergenceInfo

How a Krylov method went, as in KrylovKit.jl:
- `converged`: how many of the results have reached the tolerance; of eigenvalues, from the first on without a gap;
- `residual`: what is left, `A·v - λ·v` for each eigenvector, `b - (a₀ + a₁·A)·x` for a linear system, `nothing` for an
  exponential;
- `normres`: the norms of these; for an exponential the estimated error;
- `numiter`: how many Krylov spaces were built, or time steps taken, or conjugate gradients followed;
- `numops`: how often the map was applied.
"""
struct ConvergenceInfo{S,R}
    converged::Int
    residual::R
    normres::S
    numiter::Int
    numops::Int
end

function Base.show(io::IO, info::ConvergenceInfo)
    print(io, "ConvergenceInfo: ", info.converged, " converged after ", info.numiter, " iterations and ", info.numops,
          " applications of the map; norms of residuals: ", info.normres)
end

const EIGSOLVE, EXPONENTIATE, LINSOLVE, LINSOLVE_POSITIVE = Int32(0), Int32(1), Int32(2), Int32(3)
const EIGSOLVE_GENERAL = Int32(4)
# In the order of the engine's codes.
const WHICH = (:SR, :LR, :LM, :SI, :LI)

"""
    vals, vecs, info = eigsolve(map, x₀, howmany = 1, which = :LM; krylovdim = 30, maxiter = 100, tol = 1e-12,
                                ishermitian = true, eager = false, space = nothing)

The `howmany` extreme eigenvalues of a linear map, with their eigenvectors. For a Hermitian map by Lanczos with full
orthogonalisation and thick restarts; for any other, with `ishermitian = false`, by Arnoldi with Krylov–Schur
restarts. `map` is a function of an array of the size of `x₀`, which returns one of the same size and keeps none of
them, or a [`PlannedMap`](@ref).

- `which`: `:LM` those of largest magnitude, `:LR` of largest, `:SR` of smallest real part; with `ishermitian = false`
  and complex vectors also `:LI` of largest, `:SI` of smallest imaginary part
- `krylovdim`: the most Krylov vectors; more than `howmany`, or than `howmany + 1` where a real map is not Hermitian,
  unless they span the whole space. Of values that differ by little, in what `which` looks at, a small space may pass
  over one
- `maxiter`: the most Krylov spaces, the first one and restarts
- `tol`: an eigenvalue has converged when `norm(A·v - λ·v) ≤ tol`, or when that is as small as rounding allows; 1e-12,
  or `eps^(4/5)` where that is larger
- `eager`: look after every application whether all have converged, not only when the space is full
- `space`: a [`KrylovSpace`](@ref) to work in

`vals` holds exactly `howmany` numbers in the order that `which` says, `vecs` arrays like `x₀`, of norm 1, in each of
which the entry of largest magnitude (the first of equals) is real and positive; `info` is a [`ConvergenceInfo`](@ref
TensorOxide.ConvergenceInfo): look at `info.converged`. For a Hermitian map values are real and vectors orthonormal.
With `ishermitian = false` both are complex, also where the map is real: values that are not real then come in pairs
of exact conjugates, the one with the positive imaginary part first, and so do their vectors.

Throws an `ArgumentError` for a start vector that is zero, for `NaN` or infinity in a vector, for a map that turns out
not to be Hermitian without `ishermitian = false`, and for numbers that no problem can have; a `DimensionMismatch` if
the map returns another number of elements.

```jldoctest
julia> using TensorOxide

julia> vals, vecs, info = TensorOxide.eigsolve(x -> [3.0, -1.0, 2.0] .* x, ones(3), 2, :SR);

julia> round.(vals; digits = 12)
2-element Vector{Float64}:
 -1.0
  2.0

julia> info.converged, info.numops
(2, 3)

julia> vals, vecs, info = TensorOxide.eigsolve(x -> [0 -2; 2 0] * x, [1.0, 0.0], 2, :LM; ishermitian = false);

julia> vals ≈ [2im, -2im]
true
```
"""
function eigsolve(map, x₀, howmany::Integer = 1, which::Symbol = :LM; krylovdim::Integer = 30, maxiter::Integer = 100,
                  tol::Real = default_tolerance(x₀), ishermitian::Bool = true, eager::Bool = false, space = nothing)
    code = findfirst(==(which), WHICH)
    code === nothing && throw(ArgumentError("which = $(repr(which)) is none of :LM, :LR, :SR, :LI, :SI"))
    counts = natural(howmany = howmany, krylovdim = krylovdim, maxiter = maxiter)
    method = ishermitian ? EIGSOLVE : EIGSOLVE_GENERAL
    problem = KrylovProblem(method, code - 1, counts..., tol, 0, eager, 0, 0, 0, 0, 1, 0)
    return with_space(space, x₀) do s, x
        info = run_krylov(map, s, problem, x, nothing)
        return ishermitian ? eigenpairs(real(eltype(x)), s, x, howmany, info, krylov_result!) :
               eigenpairs(complex(eltype(x)), s, complex(x), howmany, info, krylov_complex_result!)
    end
end

"Values of type `V`, vectors like `x`, and how it went."
function eigenpairs(::Type{V}, space, x, howmany, info, result!) where {V}
    vals, normres = Vector{V}(undef, howmany), Vector{real(V)}(undef, howmany)
    vecs, residual = [similar(x) for _ in 1:howmany], [similar(x) for _ in 1:howmany]
    for k in 1:howmany
        vals[k], normres[k] = result!(space, k, vecs[k], residual[k])
    end
    return vals, vecs, convergence(info, residual, normres)
end

"""
    y, info = exponentiate(map, t, x; krylovdim = 30, maxiter = 100, tol = 1e-12, ishermitian = true, eager = false,
                           space = nothing)

`y = exp(t·A)·x` for a Hermitian linear map `A`, by Lanczos with adaptive time steps. `map` and the options are as in
[`eigsolve`](@ref), except for

- `t`: any number; a complex one needs complex vectors, to which a real `x` is converted
- `maxiter`: the most time steps, of which the last goes to the end, whatever its error
- `tol`: the error that is allowed for each unit of time (or what rounding makes inevitable)
- `eager`: look after every application whether the rest of the time can be done in one step

`info.converged` is 1 if each step has kept the tolerance, `info.normres` is the estimated error of `y`. Throws what
[`eigsolve`](@ref) throws, except for a zero vector; and an `ArgumentError` if the exponential is too large for the
element type.

```jldoctest
julia> using TensorOxide

julia> y, info = TensorOxide.exponentiate(reverse, -1im, [1.0, 0.0]);

julia> y ≈ [cos(1), -im * sin(1)]
true
```
"""
function exponentiate(map, t::Number, x; krylovdim::Integer = 30, maxiter::Integer = 100,
                      tol::Real = default_tolerance(x), ishermitian::Bool = true, eager::Bool = false, space = nothing)
    ishermitian || throw(ArgumentError("exponentiate is for Hermitian maps; ishermitian = false is not supported"))
    counts = natural(krylovdim = krylovdim, maxiter = maxiter)
    problem = KrylovProblem(EXPONENTIATE, 0, 1, counts..., tol, 0, eager, real(t), imag(t), 0, 0, 1, 0)
    start = imag(t) == 0 || eltype(x) <: Complex ? x : complex(float(x))
    return with_space(space, start) do s, x
        info = run_krylov(map, s, problem, x, nothing)
        y = similar(x)
        _, normres = krylov_result!(s, 1, y, nothing)
        return y, convergence(info, nothing, normres)
    end
end

"""
    x, info = linsolve(map, b, x₀ = zero(b), a₀ = 0, a₁ = 1; krylovdim = 30, maxiter = 100, rtol = 1e-12, atol = rtol,
                       isposdef = false, space = nothing)

Solve `(a₀ + a₁·A)·x = b` for a linear map `A`, starting from `x₀`: by GMRES with restarts, or by conjugate gradients
where `isposdef = true` says that `a₀ + a₁·A` is Hermitian and positive definite. `map` is as in [`eigsolve`](@ref).

- `krylovdim`, `maxiter`: the most vectors of a Krylov space, and the most spaces; `krylovdim·maxiter` conjugate
  gradients
- `atol`, `rtol`: solved when the residual's norm is at most `max(atol, rtol·norm(b))`; the default is 1e-12, or
  `eps^(4/5)` where that is larger

`info.converged` is 1 if that was reached, else 0, as for a singular system: `x` is then the best that was found. The
residual is computed from `x` at the end. Throws an `ArgumentError` for `NaN` or infinity in a vector and, with
`isposdef = true`, for a map that turns out not to be positive definite; a `DimensionMismatch` for sizes that do not
fit.

```jldoctest
julia> using TensorOxide

julia> x, info = TensorOxide.linsolve(x -> [2 1; 1 2] * x, [3.0, 3.0]; isposdef = true);

julia> x ≈ [1, 1]
true
```
"""
function linsolve(map, b, x₀ = zero(b), a₀::Number = 0, a₁::Number = 1; krylovdim::Integer = 30, maxiter::Integer = 100,
                  rtol::Real = default_tolerance(b), atol::Real = rtol, isposdef::Bool = false, space = nothing)
    size(x₀) == size(b) || throw(DimensionMismatch("x₀ has size $(size(x₀)), but b has size $(size(b))"))
    counts = natural(krylovdim = krylovdim, maxiter = maxiter)
    method = isposdef ? LINSOLVE_POSITIVE : LINSOLVE
    problem = KrylovProblem(method, 0, 1, counts..., atol, rtol, false, 0, 0, real(a₀), imag(a₀), real(a₁), imag(a₁))
    T = promote_type(eltype(x₀), eltype(b), imag(a₀) == 0 == imag(a₁) ? Bool : Complex{Bool})
    return with_space(space, convert(AbstractArray{T}, x₀)) do s, start
        info = run_krylov(map, s, problem, start, convert(typeof(start), b))
        x, residual = similar(start), similar(start)
        _, normres = krylov_result!(s, 1, x, residual)
        return x, convergence(info, residual, normres)
    end
end

default_tolerance(x) = max(1e-12, Float64(eps(real(float(eltype(x))))^(4 / 5)))

function natural(; counts...)
    for (name, count) in counts
        count >= 1 || throw(ArgumentError("$name = $count; it has to be 1 at least"))
    end
    return values(values(counts))
end

"Call `f(space, x)` with the start vector as an `Array` that the engine can read, in the caller's memory or fresh one."
function with_space(f, space, x::AbstractArray)
    T = float(eltype(x))
    T <: Element && isconcretetype(T) || throw_unsupported(eltype(x), "the vector")
    start = convert(Array{T,ndims(x)}, x)
    space isa KrylovSpace{T} && return f(space, start)
    space === nothing || throw(ArgumentError("the space is a $(typeof(space)), but the vectors need a KrylovSpace{$T}"))
    mine = KrylovSpace{T}()
    try
        return f(mine, start)
    finally
        finalize(mine)
    end
end
with_space(f, space, x) = throw(ArgumentError("the vector is a $(typeof(x)), not an array"))

"Solve the problem in `space`; return what the engine says of it."
function run_krylov(map, space::KrylovSpace, problem, x, b)
    krylov_start(space, problem, x, b)
    step_krylov(map, space, x)
    info = Ref(KrylovInfo(0, 0, 0, 0))
    GC.@preserve space krylov_info(space.handle, info)
    return info[]
end

convergence(info::KrylovInfo, residual, normres) =
    ConvergenceInfo(Int(info.converged), residual, normres, Int(info.numiter), Int(info.numops))

# The map gets copies: what it keeps, or writes to, is none of the engine's memory.
function step_krylov(map, space::KrylovSpace{T}, like::Array{T,N}) where {T,N}
    x, y = Ref{Ptr{Cvoid}}(C_NULL), Ref{Ptr{Cvoid}}(C_NULL)
    argument = similar(like)
    GC.@preserve space while true
        krylov_next(space.handle, x, y)
        x[] == C_NULL && return nothing
        GC.@preserve argument unsafe_copyto!(pointer(argument), convert(Ptr{T}, x[]), length(argument))
        made = map(argument)
        made isa AbstractArray && length(made) == length(like) || throw(DimensionMismatch(
            "the map made $(made isa AbstractArray ? "an array of size $(size(made))" : "a $(typeof(made))") of a " *
            "vector of size $(size(like))"))
        copyto!(unsafe_wrap(Array, convert(Ptr{T}, y[]), size(like)), made)
    end
end

function step_krylov(map::PlannedMap{S}, space::KrylovSpace{T}, like::Array{T}) where {S,T}
    S === T || throw(ArgumentError("the plan computes with $S, but the vectors have elements of type $T"))
    size(like) == map.plan.output_size || throw(DimensionMismatch(
        "the map takes vectors of size $(map.plan.output_size), but x has size $(size(like))"))
    # The engine looks at each operand but the free one, in whose place any array of its rank will do.
    operands = (map.operands[1:map.free-1]..., like, map.operands[map.free:end]...)
    count = length(operands)
    frame = Vector{Int64}(undef, words(operands) + count)
    plan = map.plan
    GC.@preserve frame operands plan space begin
        tensors = convert(Ptr{DLTensor}, pointer(frame))
        flags = convert(Ptr{UInt8}, tensors + count * sizeof(DLTensor))
        place_all!(tensors, 1, flags, convert(Ptr{Int64}, flags) + 8count, operands)
        krylov_run_plan(space.handle, plan.handle, tensors, count, flags, map.free - 1)
    end
    return nothing
end

"Write result `k`, and its residual unless that is `nothing`; return the value and the residual's norm."
function krylov_result!(space::KrylovSpace{T}, k, vector::Array{T}, residual) where {T}
    value, normres = Ref(0.0), Ref(0.0)
    tensors_of(vector, residual) do v, r
        GC.@preserve space krylov_result(space.handle, k - 1, value, normres, v, r)
    end
    return value[], normres[]
end

"The same of a problem with complex results."
function krylov_complex_result!(space::KrylovSpace, k, vector::Array, residual)
    value, normres = Ref(0.0im), Ref(0.0)
    tensors_of(vector, residual) do v, r
        GC.@preserve space krylov_complex_result(space.handle, k - 1, value, normres, v, r)
    end
    return value[], normres[]
end

function krylov_start(space::KrylovSpace, problem, x, b)
    tensors_of(x, b) do x, b
        GC.@preserve space krylov_start(space.handle, problem, x, b)
    end
end

"Call `f` with pointers to the tensors of `A` and of `B`, NULL where that is `nothing`."
function tensors_of(f, A, B)
    frame = Vector{Int64}(undef, words(A) + (B === nothing ? 0 : words(B)) + 2TENSOR_WORDS)
    GC.@preserve frame A B begin
        tensors = convert(Ptr{DLTensor}, pointer(frame))
        _, room = place!(tensors, 1, convert(Ptr{Int64}, tensors + 2sizeof(DLTensor)), A, OUTPUT)
        B === nothing || place!(tensors, 2, room, B, OUTPUT)
        f(tensors, B === nothing ? Ptr{DLTensor}(C_NULL) : tensors + sizeof(DLTensor))
    end
    return nothing
end
