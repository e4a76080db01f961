# Derivatives of the decompositions and solvers as plain functions, without any package for automatic differentiation:
# pullbacks (of cotangents), pushforwards (of tangents), and pushforwards of pullbacks, which are the second order.
#
# The formulas are the engine's. Here arguments and results become the matrices of one problem, or of a stack, and
# cotangents come back in the form of the arguments.

"""
    pullback(f, arguments, results, cotangents; on_gauge = :error, phases = :fixed, gauge_tolerance = √eps,
             degeneracy = nothing, options...)

The cotangents of the `arguments` (a tuple) of a decomposition or solver `f` of this module, `results` being what
`f(arguments...; options...)` has returned and `cotangents` those of the results, in the same form; `nothing` is zero. For a
real function `L` of the results, cotangents `x̄` satisfy `δL = real(dot(x̄, δx))`, as everywhere in ChainRules. Returns a
tuple with one entry for each argument, `nothing` for those that have no derivative; for real arguments it is real.

Where values are equal, their vectors are one choice of many. A cotangent that no choice changes has its exact, finite
answer. For one that depends on the choice, `on_gauge` says what happens: `:error` throws an `ArgumentError`, `:warn` leaves out
what depends on it and warns, `:ignore` does not warn. `gauge_tolerance` is the most of a cotangent, relative to the whole, that
counts as rounding; `degeneracy` the most by which equal values differ, relative to the largest. `phases = :fixed`
differentiates the phases that the standard gives to vectors; `:free` has them depend on nothing, and counts a cotangent
that depends on them as one that depends on the choice.

Throws an `ArgumentError` where there is no derivative, a `DimensionMismatch` if something does not fit, and what `f` throws.

```jldoctest
julia> using TensorOxide

julia> A = [0.0 2.0; 3.0 0.0];

julia> S = TensorOxide.svd_vals(A);

julia> Ā, = TensorOxide.pullback(TensorOxide.svd_vals, (A,), S, [1.0, 0.0]);   # of the largest singular value

julia> abs.(Ā) ≈ [0 0; 1 0]
true
```
"""
function pullback(f, arguments::Tuple, results, cotangents; workspace = nothing, provider = nothing, options...)
    problem = Problem(f, arguments, results; options...)
    yb = slopes(problem, problem.y, outputs(problem, cotangents))
    xb = map(similar, problem.x)
    gauge = call_rule(engine_rule_vjp, problem, (problem.x, problem.y, yb, xb), workspace, provider)
    warn_of_gauge(problem, gauge)
    return back(problem, xb)
end

"""
    pushforward(f, arguments, results, tangents; options...)

The tangents of the `results` of a decomposition or solver `f`, those of its `arguments` being given: a tuple with one for
each, where `nothing` is zero. In the form of the results, `nothing` for those that have no derivative. Otherwise as
[`pullback`](@ref).

```jldoctest
julia> using TensorOxide

julia> A, Ȧ = [1.0 0.0; 0.0 2.0], [0.0 1.0; 1.0 0.0];

julia> TensorOxide.pushforward(TensorOxide.inv, (A,), TensorOxide.inv(A), (Ȧ,))
2×2 Matrix{Float64}:
 -0.0  -0.5
 -0.5  -0.0
```
"""
function pushforward(f, arguments::Tuple, results, tangents::Tuple; workspace = nothing, provider = nothing, options...)
    problem = Problem(f, arguments, results; options...)
    dx = slopes(problem, problem.x, inputs(problem, tangents))
    dy = map(y -> eltype(y) === Int64 ? nothing : similar(y), problem.y)
    gauge = call_rule(engine_rule_jvp, problem, (problem.x, problem.y, dx, dy), workspace, provider)
    warn_of_gauge(problem, gauge)
    return in_form(results, dy)
end

"""
    pullback_pushforward(f, arguments, results, cotangents, tangents, cotangent_tangents; options...)

The second order: the tangents of what [`pullback`](@ref) returns along `tangents` of the arguments and
`cotangent_tangents` of the cotangents. For a loss of the results, with `cotangents` its gradient and
`cotangent_tangents` its Hessian times the tangents of the results, this is the Hessian of the whole times `tangents`.

```jldoctest
julia> using TensorOxide

julia> A, Ȧ = fill(2.0, 1, 1), fill(1.0, 1, 1);

julia> X̄ = fill(1.0, 1, 1);   # of 1/A, whose second derivative is 2/A³

julia> TensorOxide.pullback_pushforward(TensorOxide.inv, (A,), TensorOxide.inv(A), X̄, (Ȧ,), nothing)[1]
1×1 Matrix{Float64}:
 0.25
```
"""
function pullback_pushforward(f, arguments::Tuple, results, cotangents, tangents::Tuple, cotangent_tangents;
                              workspace = nothing, provider = nothing, options...)
    problem = Problem(f, arguments, results; options...)
    yb = slopes(problem, problem.y, outputs(problem, cotangents))
    dx = slopes(problem, problem.x, inputs(problem, tangents))
    dyb = slopes(problem, problem.y, outputs(problem, cotangent_tangents))
    dxb = map(similar, problem.x)
    gauge = call_rule(engine_rule_hvp, problem, (problem.x, problem.y, yb, dx, dyb, dxb), workspace, provider)
    warn_of_gauge(problem, gauge)
    return back(problem, dxb)
end

"""
    is_differentiable(f)

Does `f` have a [`pullback`](@ref) and a [`pushforward`](@ref)?
"""
is_differentiable(f) = haskey(RULES, f)

# For each function the engine's code, and how the results of a split tensor become those of a matrix: as a matrix with as
# many rows as the split has (:m) or columns (:n), as one with as many columns (:c), or as they are (:v).
const RULES = IdDict{Any,Tuple{Int32,Vararg{Symbol}}}(
    svd_compact => (0, :m, :v, :c), svd_full => (1, :m, :v, :c), svd_vals => (2, :v), svd_trunc => (3, :m, :v, :c, :v),
    qr_compact => (4, :m, :c), qr_full => (5, :m, :c), qr_null => (6, :m), qr_pivoted => (7, :m, :c, :v),
    lq_compact => (8, :m, :c), lq_full => (9, :m, :c), lq_null => (10, :c),
    left_polar => (11, :m, :c), right_polar => (12, :m, :c),
    lu => (13, :m, :c, :v), lu_complete => (14, :m, :c, :v, :v), cholesky => (15, :m),
    eigh_full => (16, :v, :m), eigh_vals => (17, :v), eigh_trunc => (18, :v, :m, :v), eigh_range => (18, :v, :m),
    eig_full => (19, :v, :m), eig_vals => (20, :v), schur_full => (21, :v, :m, :v), schur_vals => (22, :v),
    solve => (23, :n), solve_triangular => (24, :v), lstsq => (25, :n), inv => (26, :n), pinv => (27, :n),
    det => (28, :v), logabsdet => (29, :v, :v), expm => (30, :v), hermitian_function => (31, :v), matrix_norm => (32, :v),
)

"A function, its arguments and its results as the engine sees them."
struct Problem
    rule::RuleOptions
    forms::Tuple
    "Arguments and results that are arrays of numbers, plain, with the axes of matrices."
    x::Tuple
    y::Tuple
    "Positions of `x` among the arguments, and what they were."
    positions::Tuple
    arguments::Tuple
    "Dimensions of the rows and of the columns, if the first argument is split."
    split::Union{Nothing,Tuple{Tuple,Tuple}}
    warns::Bool
end

const GAUGE_CHOICES = (:error, :warn, :ignore)

function Problem(f, arguments::Tuple, results; on_gauge::Symbol = :error, phases::Symbol = :fixed,
                 gauge_tolerance::Union{Real,Nothing} = nothing, degeneracy::Union{Real,Nothing} = nothing, options...)
    haskey(RULES, f) || throw(ArgumentError("$f has no rule"))
    on_gauge in GAUGE_CHOICES || throw(ArgumentError("on_gauge is :error, :warn or :ignore, not $(repr(on_gauge))"))
    phases in (:fixed, :free) || throw(ArgumentError("phases is :fixed or :free, not $(repr(phases))"))
    code, forms = RULES[f][1], Base.tail(RULES[f])
    positions = array_positions(f, arguments)
    split = arguments[end] isa Tuple ? (arguments[end-1], arguments[end]) : nothing
    rule = RuleOptions(code, variant(f, arguments; options...), on_gauge !== :error, phases === :free,
                       tolerance(gauge_tolerance), tolerance(degeneracy))
    T = mapreduce(k -> floating(eltype(arguments[k])), promote_type, positions)
    x = map(k -> plain(T, arguments[k]), positions)
    if split !== nothing
        M, m, n = matricize(x[1], split...)
        x = length(x) == 1 ? (M,) : (M, reshape(x[2], prod(m), :))
    end
    m, n = size(x[1], 1), size(x[1], 2)
    y = map((form, y) -> formed(form, m, n, split === nothing, y), forms, results_of(f, results, x[1]))
    return Problem(rule, forms, x, y, positions, arguments, split, on_gauge === :warn)
end

tolerance(::Nothing) = -1.0
tolerance(x::Real) = x >= 0 ? Float64(x) : throw(ArgumentError("a tolerance is $x, but must be 0 or positive"))

floating(::Type{T}) where {T} = T <: Whole ? float(T) : T

array_positions(f, arguments) = (1,)
array_positions(::Union{typeof(solve),typeof(solve_triangular),typeof(lstsq)}, arguments) = (1, 2)
array_positions(::typeof(hermitian_function), arguments) = (2,)

variant(f, arguments; options...) = 0
function variant(::typeof(hermitian_function), (f, _)::Tuple; options...)
    f isa Symbol || throw(ArgumentError("a Hermitian function has a rule only by its name, one of $(keys(FUNCTIONS))"))
    return FUNCTIONS[f]
end
variant(::typeof(matrix_norm), arguments; options...) = length(arguments) == 1 ? 0 : NORMS[arguments[2]]
function variant(::typeof(solve_triangular), (A, _)::Tuple; uplo = nothing, unit_diagonal = false, options...)
    upper = A isa Union{UpperTriangular,UnitUpperTriangular} || uplo === :U
    return upper + 2 * (A isa Union{UnitUpperTriangular,UnitLowerTriangular} || unit_diagonal)
end

"An array of `T` whose memory the engine can read as it is; real parts, where complex numbers would become real ones."
function plain(::Type{T}, A::AbstractArray) where {T}
    A isa StridedArray{T} && return A
    return convert(Array{T,ndims(A)}, T <: Real && !(eltype(A) <: Real) ? real(A) : A)
end
plain(::Type{T}, x::Number) where {T} = plain(T, fill(x))

# What a rule gets of the results, in its order.
results_of(f, results::Tuple, A) = results
results_of(f, result, A) = (result,)
results_of(::Union{typeof(qr_pivoted),typeof(lstsq)}, results::Tuple, A) = Base.front(results)
# A range has no norm of what was cut off, and none is asked for.
results_of(::typeof(eigh_range), (w, V)::Tuple, A) = (w, V, zeros(real(eltype(A)), batch_size(A)))

"A result as that of a matrix: positions count from 0."
formed(form, m, n, whole, y::AbstractArray{<:Integer}) = y .- 1
formed(form, m, n, whole, y::Number) = fill(y)
function formed(form, m, n, whole, y::AbstractArray)
    (whole || form === :v) && return plain(eltype(y), y)
    return form === :c ? reshape(y, :, n) : reshape(y, form === :m ? m : n, :)
end

# Cotangents of the results, tangents of the arguments, as tuples in the order of the rule.
outputs(problem, ::Nothing) = map(_ -> nothing, problem.y)
outputs(problem, cotangents::Tuple) = ntuple(k -> get(cotangents, k, nothing), length(problem.y))
outputs(problem, cotangent) = ntuple(k -> k == 1 ? cotangent : nothing, length(problem.y))
inputs(problem, tangents::Tuple) = map(k -> k <= length(tangents) ? tangents[k] : nothing, problem.positions)

"Tangents or cotangents as arrays like those that they belong to."
slopes(problem, values, all) = map((value, slope) -> slope_of(problem, value, slope), values, all)
function slope_of(problem, value, slope)
    (slope === nothing || eltype(value) === Int64) && return nothing
    A = plain(eltype(value), slope)
    if problem.split !== nothing && length(A) == length(value)
        value === problem.x[1] && (A = matricize(A, problem.split...)[1])
        return reshape(A, size(value))
    end
    size(A) == size(value) || throw(DimensionMismatch(
        "a tangent or cotangent of size $(size(slope)) does not fit an array of size $(size(value))"))
    return A
end

"Cotangents of all arguments."
function back(problem, xb)
    restored = map((k, xb) -> restore(problem, k, xb), problem.positions, xb)
    return ntuple(length(problem.arguments)) do k
        i = findfirst(isequal(k), problem.positions)
        i === nothing ? nothing : restored[i]
    end
end

function restore(problem, k, xb)
    problem.split === nothing && return xb
    sizes = size(problem.arguments[k])
    k > 1 && return reshape(xb, sizes)
    order = (problem.split[1]..., problem.split[2]...)
    return permutedims(reshape(xb, map(d -> sizes[d], order)), invperm(order))
end

# Tangents in the form of the results.
in_form(results::Tuple, dy) = ntuple(length(results)) do k
    k <= length(dy) ? in_form_of(results[k], dy[k]) : nothing
end
in_form(result, dy) = in_form_of(result, dy[1])
in_form_of(result, ::Nothing) = nothing
in_form_of(result::Number, dy) = dy[]
in_form_of(result::AbstractArray, dy) = reshape(dy, size(result))

warn_of_gauge(problem, part) = problem.warns && part > 0 && @warn(
    "a cotangent depends on the gauge of vectors whose values are equal; what depends on it was left out", part)

"""
    call_rule(engine, problem, lists, workspace, provider)

Call the engine's rule with lists of arrays, where `nothing` stands for none, and return the gauge-dependent part.
"""
function call_rule(engine, problem, lists, workspace, provider)
    arrays = filter(!isnothing, collect(Any, Iterators.flatten(lists)))
    tensors = Vector{DLTensor}(undef, length(arrays))
    dims = Vector{Int64}(undef, 2sum(ndims, arrays))
    addresses = [Ptr{DLTensor}[] for _ in lists]
    GC.@preserve arrays tensors dims begin
        k, room = 0, pointer(dims)
        for (list, to) in zip(lists, addresses), A in list
            A === nothing && (push!(to, C_NULL); continue)
            _, room = place!(pointer(tensors), k += 1, room, A, MATRIX)
            push!(to, pointer(tensors, k))
        end
        gauge = Ref(0.0)
        run = RunOptions(handle(workspace), provider === nothing ? -1 : provider_code(provider))
        GC.@preserve workspace engine(problem.rule, addresses, gauge, run)
        return gauge[]
    end
end
