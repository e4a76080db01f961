# Derivatives of the decompositions and solvers as plain functions, without any package for automatic differentiation:
# pullbacks (of cotangents), pushforwards (of tangents), and pushforwards of pullbacks, which are the second order.
#
# The formulas are the engine's. Here arguments and results become the matrices of one problem, or of a stack, and
# cotangents come back in the form of the arguments.

"""
    pullback(f, arguments, results, cotangents; on_gauge = TensorOxide.on_gauge(), phases = :fixed, gauge_tolerance = √eps,
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

julia> Ā, = TensorOxide.pullback(TensorOxide.svd_vals, (A,), S, [1.0, 0.0]);

julia> Ā ≈ [0 0; 1 0]     # of the largest singular value
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

julia> TensorOxide.pushforward(TensorOxide.inv, (A,), TensorOxide.inv(A), (Ȧ,)) ≈ [0 -0.5; -0.5 0]
true
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

julia> X̄ = fill(1.0, 1, 1);

julia> TensorOxide.pullback_pushforward(TensorOxide.inv, (A,), TensorOxide.inv(A), X̄, (Ȧ,), nothing)[1]     # 2/A³
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

# For each function the engine's code, and how the results of a split tensor become those of a matrix: with as many rows as
# the split has (:rows), or columns (:columns), with as many columns (:width), or as they are (:whole).
const RULES = (
    (svd_compact, 0, (:rows, :whole, :width)), (svd_full, 1, (:rows, :whole, :width)), (svd_vals, 2, (:whole,)),
    (svd_trunc, 3, (:rows, :whole, :width, :whole)),
    (qr_compact, 4, (:rows, :width)), (qr_full, 5, (:rows, :width)), (qr_null, 6, (:rows,)),
    (qr_pivoted, 7, (:rows, :width, :whole)),
    (lq_compact, 8, (:rows, :width)), (lq_full, 9, (:rows, :width)), (lq_null, 10, (:width,)),
    (left_polar, 11, (:rows, :width)), (right_polar, 12, (:rows, :width)),
    (lu, 13, (:rows, :width, :whole)), (lu_complete, 14, (:rows, :width, :whole, :whole)), (cholesky, 15, (:rows,)),
    (eigh_full, 16, (:whole, :rows)), (eigh_vals, 17, (:whole,)), (eigh_trunc, 18, (:whole, :rows, :whole)),
    (eigh_range, 18, (:whole, :rows, :whole)), (eig_full, 19, (:whole, :rows)), (eig_vals, 20, (:whole,)),
    (schur_full, 21, (:whole, :rows, :whole)), (schur_vals, 22, (:whole,)),
    (solve, 23, (:columns,)), (solve_triangular, 24, (:whole,)), (lstsq, 25, (:columns,)), (inv, 26, (:columns,)),
    (pinv, 27, (:columns,)), (det, 28, (:whole,)), (logabsdet, 29, (:whole, :whole)), (expm, 30, (:whole,)),
    (hermitian_function, 31, (:whole,)), (matrix_norm, 32, (:whole,)),
)
# Methods, so that the compiler knows.
rule(f) = throw(ArgumentError("$f has no rule"))
for (f, code, forms) in RULES
    @eval rule(::typeof($f)) = $(Int32(code)), $(map(Val, forms))
end

"A function, its arguments and its results as the engine sees them."
struct Problem{X<:Tuple,Y<:Tuple,P<:Tuple,A<:Tuple,S}
    rule::RuleOptions
    "Arguments and results that are arrays of numbers, plain, with the axes of matrices."
    x::X
    y::Y
    "Positions of `x` among the arguments, and what they were."
    positions::P
    arguments::A
    "Dimensions of the rows and of the columns, if the first argument is split."
    split::S
    warns::Bool
end

const GAUGE_CHOICES = (:error, :warn, :ignore)
const ON_GAUGE = Ref(:error)

"""
    on_gauge()
    set_on_gauge(choice)

What is done with a cotangent that depends on the gauge where nothing else is said, as under automatic differentiation:
`:error` (at first), `:warn` or `:ignore`; see [`pullback`](@ref).
"""
on_gauge() = ON_GAUGE[]
function set_on_gauge(choice::Symbol)
    choice in GAUGE_CHOICES || throw(ArgumentError("the choices are :error, :warn and :ignore, not $(repr(choice))"))
    ON_GAUGE[] = choice
    return nothing
end
@doc (@doc on_gauge) set_on_gauge

function Problem(f, arguments::Tuple, results; on_gauge::Symbol = ON_GAUGE[], phases::Symbol = :fixed,
                 gauge_tolerance::Union{Real,Nothing} = nothing, degeneracy::Union{Real,Nothing} = nothing, options...)
    code, forms = rule(f)
    on_gauge in GAUGE_CHOICES || throw(ArgumentError("on_gauge is :error, :warn or :ignore, not $(repr(on_gauge))"))
    phases in (:fixed, :free) || throw(ArgumentError("phases is :fixed or :free, not $(repr(phases))"))
    positions = array_positions(f)
    split = split_of(arguments...)
    how = RuleOptions(code, variant(f, arguments; options...), on_gauge !== :error, phases === :free,
                      tolerance(gauge_tolerance), tolerance(degeneracy))
    T = common_type(map(k -> arguments[k], positions)...)
    x = matrices(split, map(k -> plain(T, arguments[k]), positions))
    m, n = size(x[1], 1), size(x[1], 2)
    y = map((form, y) -> formed(split === nothing ? Val(:whole) : form, m, n, y), forms, results_of(f, results, x[1]))
    return Problem(how, x, y, positions, arguments, split, on_gauge === :warn)
end

split_of(arguments...) = nothing
split_of(A, rows::Tuple, columns::Tuple) = (rows, columns)
split_of(A, B, rows::Tuple, columns::Tuple) = (rows, columns)

"Arguments with the axes of matrices."
matrices(::Nothing, x) = x
function matrices(split::Tuple, x)
    M, m, n = matricize(x[1], split...)
    return length(x) == 1 ? (M,) : (M, reshape(x[2], prod(m), :))
end

common_type(A) = matrix_type(A)
common_type(A, B) = system_type(A, B)
tolerance(::Nothing) = -1.0
tolerance(x::Real) = x >= 0 ? Float64(x) : throw(ArgumentError("a tolerance is $x, but must be 0 or positive"))

array_positions(f) = (1,)
array_positions(::Union{typeof(solve),typeof(solve_triangular),typeof(lstsq)}) = (1, 2)
array_positions(::typeof(hermitian_function)) = (2,)

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
formed(form, m, n, y::Number) = fill(y)
formed(form, m, n, y::AbstractArray{<:Integer}) = y .- 1
formed(form, m, n, y::AbstractArray) = formed_numbers(form, m, n, plain(eltype(y), y))
formed_numbers(::Val{:whole}, m, n, y) = y
formed_numbers(::Val{:rows}, m, n, y) = reshape(y, m, :)
formed_numbers(::Val{:columns}, m, n, y) = reshape(y, n, :)
formed_numbers(::Val{:width}, m, n, y) = reshape(y, :, n)

# Cotangents of the results, tangents of the arguments, as tuples in the order of the rule.
outputs(problem, ::Nothing) = map(_ -> nothing, problem.y)
outputs(problem, cotangents::Tuple) = ntuple(k -> k <= length(cotangents) ? cotangents[k] : nothing, length(problem.y))
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
back(problem, xb) =
    in_places(problem.positions, map((k, xb) -> restore(problem, k, xb), problem.positions, xb), problem.arguments)

in_places(positions::Tuple, found, arguments) =
    ntuple(k -> k in positions ? found[k-first(positions)+1] : nothing, length(arguments))

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
in_form_of(result, dy) = dy === nothing ? nothing : result isa Number ? dy[] : reshape(dy, size(result))

warn_of_gauge(problem, part) = problem.warns && part > 0 && @warn(
    "a cotangent depends on the gauge of vectors whose values are equal; what depends on it was left out", part)

"Call the engine's rule with lists of arrays, where `nothing` stands for none, and return the gauge-dependent part."
function call_rule(engine::F, problem, lists::Tuple, workspace, provider) where {F}
    gauge = Ref(0.0)
    run = RunOptions(handle(workspace), provider === nothing ? -1 : provider_code(provider))
    GC.@preserve workspace with_tensors(lists) do _, addresses
        engine(problem.rule, addresses, gauge, run)
    end
    return gauge[]
end

"""
    with_tensors(f, lists)

Call `f(tensors, addresses)` with the arrays of all lists as DLPack's tensors, one after another, and for each list a
pointer to the addresses of its tensors; `nothing` has the address NULL.
"""
function with_tensors(f::F, lists::Tuple) where {F}
    arrays = flat(lists...)
    tensors = Vector{DLTensor}(undef, length(arrays))
    dims = Vector{Int64}(undef, 2sum(axes_of, arrays))
    addresses = fill(Ptr{DLTensor}(C_NULL), length(arrays))
    GC.@preserve arrays tensors dims addresses begin
        place_list!(pointer(tensors), addresses, pointer(dims), arrays)
        starts = cumsum((1, map(length, lists)...))
        return f(pointer(tensors), map(start -> pointer(addresses, start), Base.front(starts)))
    end
end

# Lists of a few arrays are tuples that the compiler knows, those of any number vectors.
flat(list) = list
flat(list::Tuple, lists::Tuple...) = (list..., flat(lists...)...)
flat(lists...) = Any[A for list in lists for A in list]
axes_of(A) = A === nothing ? 0 : ndims(A)

place_list!(tensors, addresses, room, As::Tuple) = place_list!(tensors, addresses, 1, room, As)
place_list!(tensors, addresses, k, room, ::Tuple{}) = nothing
function place_list!(tensors, addresses, k, room, As::Tuple)
    room = place_or_skip!(tensors, addresses, k, room, first(As))
    return place_list!(tensors, addresses, k + 1, room, tail(As))
end
function place_list!(tensors, addresses, room, As::Vector{Any})
    for (k, A) in enumerate(As)
        room = place_or_skip!(tensors, addresses, k, room, A)::Ptr{Int64}
    end
end
place_or_skip!(tensors, addresses, k, room, ::Nothing) = room
function place_or_skip!(tensors, addresses, k, room, A)
    _, room = place!(tensors, k, room, A, MATRIX)
    addresses[k] = tensors + (k - 1) * sizeof(DLTensor)
    return room
end
