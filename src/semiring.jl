# Contractions over other algebras than that of numbers, and the configuration that attains an optimum.

"""
    Semiring

What [`einsum`](@ref) may compute with in the place of `+` and `*`, given as its keyword `semiring`:

| semiring | elements | sum | product | zero | one |
|:---|:---|:---|:---|:---|:---|
| `MaxPlus()` | `Float32`, `Float64` | `max` | `+` | `-Inf` | `0` |
| `MinPlus()` | `Float32`, `Float64` | `min` | `+` | `Inf` | `0` |
| `MaxTimes()` | `Float32`, `Float64`, none negative | `max` | `*` | `0` | `1` |
| `AndOr()` | `Bool` | `\\|` | `&` | `false` | `true` |
| `PlusTimes()` | `Int64`, wrapping around | `+` | `*` | `0` | `1` |

Sums are exact in any order. The zero is a strong one: what it is multiplied by does not matter, not even `±Inf`; `NaN`
counts as the zero.
"""
abstract type Semiring end
"`max` and `+` in the place of `+` and `*`: a [`Semiring`](@ref TensorOxide.Semiring)."
struct MaxPlus <: Semiring end
"`min` and `+` in the place of `+` and `*`: a [`Semiring`](@ref TensorOxide.Semiring)."
struct MinPlus <: Semiring end
"`max` in the place of `+`, for numbers that are not negative: a [`Semiring`](@ref TensorOxide.Semiring)."
struct MaxTimes <: Semiring end
"`|` and `&` of `Bool`s: a [`Semiring`](@ref TensorOxide.Semiring)."
struct AndOr <: Semiring end
"`+` and `*` of `Int64`s that wrap around: a [`Semiring`](@ref TensorOxide.Semiring)."
struct PlusTimes <: Semiring end

code(::MaxPlus) = Int32(0)
code(::MinPlus) = Int32(1)
code(::MaxTimes) = Int32(2)
code(::AndOr) = Int32(3)
code(::PlusTimes) = Int32(4)

dltype(::Type{Bool}) = DLDataType(6, 8, 1)
dltype(::Type{Int64}) = DLDataType(0, 64, 1)

"The element type to compute with: one that the semiring has, to which Julia promotes the operands."
element_type(::AndOr, As) = checked_promotion(Bool, As, AndOr())
element_type(::PlusTimes, As) = checked_promotion(Int64, As, PlusTimes())
function element_type(semiring::Semiring, As)
    T = element_type(As)
    T <: Union{Float32,Float64} || throw_semiring(semiring, T, "the operands together")
    return T
end
function checked_promotion(T, As, semiring)
    for (k, A) in enumerate(As)
        A isa Union{AbstractArray,Number} || operand(T, A, k)       # throws
        promote_type(eltype(A), T) === T || throw_semiring(semiring, eltype(A), name(k))
    end
    return T
end
@noinline throw_semiring(semiring, T, what) = throw(ArgumentError(string(
    what, " has elements of type ", T, "; ", nameof(typeof(semiring)), "() computes with ",
    semiring isa AndOr ? "Bool" : semiring isa PlusTimes ? "Int64" : "Float32 and Float64")))

mutable struct SemiringPlan
    handle::Ptr{Cvoid}
    output_size::Vector{Int}
    SemiringPlan(handle, output_size) = finalizer(p -> semiring_plan_destroy(p.handle), new(handle, output_size))
end

# The plans that were made lately, all forgotten at once when there are too many: the work is rarely small.
const SEMIRING_PLANS = Dict{Tuple{Int32,DataType,String,Vector{Vector{Int}}},SemiringPlan}()
const SEMIRING_LOCK = Threads.SpinLock()
const MOST_SEMIRING_PLANS = 64

function semiring_plan(semiring::Semiring, T::DataType, expression::String, sizes::Vector{Vector{Int}})
    key = (code(semiring), T, expression, sizes)
    lock(SEMIRING_LOCK)
    found = get(SEMIRING_PLANS, key, nothing)
    unlock(SEMIRING_LOCK)
    found === nothing || return found
    '\0' in expression && throw(ArgumentError("the expression $(repr(expression)) contains a NUL character"))
    ranks = Int32[length(size) for size in sizes]
    extents = Int64[extent for size in sizes for extent in size]
    handle, info = Ref(C_NULL), Ref(PlanInfo())
    GC.@preserve expression ranks extents begin
        request = semiring_request(pointer(expression), length(sizes), pointer(ranks), pointer(extents), dltype(T))
        semiring_plan_create(request, code(semiring), handle)
    end
    plan = SemiringPlan(handle[], Int[])
    semiring_plan_info(plan.handle, info)
    resize!(plan.output_size, info[].output_rank)
    semiring_plan_output_shape(plan.handle, plan.output_size)
    lock(SEMIRING_LOCK)
    try
        length(SEMIRING_PLANS) < MOST_SEMIRING_PLANS || empty!(SEMIRING_PLANS)
        SEMIRING_PLANS[key] = plan
    finally
        unlock(SEMIRING_LOCK)
    end
    return plan
end

"Call `f` with the memory of the engine's tensors of `arrays`, an output last or two."
function with_tensors(f, arrays::Vector{Any})
    frame = Vector{Int64}(undef, words(arrays) + 1)
    GC.@preserve frame arrays begin
        tensors = convert(Ptr{DLTensor}, pointer(frame))
        flags = convert(Ptr{UInt8}, tensors + length(arrays) * sizeof(DLTensor))
        place_all!(tensors, 1, flags, convert(Ptr{Int64}, flags) + 8length(arrays), arrays)
        f(tensors)
    end
end

function planned(semiring::Semiring, expression, @nospecialize(As), @nospecialize(conj))
    T = element_type(semiring, As)
    conj === nothing || length(conj) == length(As) || throw(ArgumentError(
        "conj has $(length(conj)) entries for $(length(As)) operands"))
    Bs = Any[A isa BitArray ? Array(A) : operand(T, A, k) for (k, A) in enumerate(As)]
    for (k, B) in enumerate(Bs)
        layout(B, k)                        # refuses what is not strided, by its number
    end
    return T, Bs, semiring_plan(semiring, T, text(expression), Vector{Int}[Int[size(B)...] for B in Bs])
end

function einsum_over(semiring::Semiring, expression, @nospecialize(As), @nospecialize(conj))
    T, Bs, plan = planned(semiring, expression, As, conj)
    C = Array{T}(undef, plan.output_size...)
    run_over!(plan, C, Bs, false)
    return ndims(C) == 0 ? C[] : C
end

function einsum_over!(semiring::Semiring, C, expression, @nospecialize(As), α, β, @nospecialize(conj))
    isone(α) && (iszero(β) || isone(β)) || throw(ArgumentError(
        "α = $α and β = $β: over a semiring α is 1, and β is 0 for C = result or 1 for C = C ⊕ result"))
    T, Bs, plan = planned(semiring, expression, As, conj)
    check_output(T, C)
    run_over!(plan, C, Bs, isone(β))
    return C
end

function run_over!(plan, C, Bs, accumulate)
    layout(C, OUTPUT)
    GC.@preserve plan with_tensors(Any[Bs; Any[C]]) do tensors
        semiring_plan_run(plan.handle, tensors, length(Bs), tensor(tensors, length(Bs) + 1), accumulate)
    end
end

"""
    TensorOxide.argmax_config(expression, A, B, …; semiring = MaxPlus()) -> value, labels => configuration

The contraction over `semiring`, `MaxPlus()`, `MinPlus()` or `MaxTimes()`, and the values of the labels that attain it: the
most probable assignment of a graphical model, the ground state of a spin glass. `labels` are all labels of the
expression, strings (integers if the expression is one of integer labels); `configuration[k]` is the index, from 1, of
`labels[k]`. Where the expression leaves labels open, `value` is an array, and `configuration[k, i, j, …]` belongs to
`value[i, j, …]`. An element that is the sum of nothing has a configuration of zeros.

Of several configurations that attain an optimum the same one is returned in every call. All intermediate results are
kept until the end.

```jldoctest
julia> using TensorOxide

julia> bonds, J = [(1, 2), (2, 3), (3, 4), (1, 4), (1, 3)], [1, -1, 1, 1, -1];

julia> tensors = [[j -j; -j j] for j in J];

julia> value, (sites, places) = TensorOxide.argmax_config(bonds => (), tensors...);

julia> spin = Dict(zip(sites, 3 .- 2 .* places));

julia> value, sum(j * spin[s] * spin[t] for (j, (s, t)) in zip(J, bonds))
(3.0, 3)
```
"""
function argmax_config(expression::Union{AbstractString,Pair}, @nospecialize(As...); semiring::Semiring = MaxPlus())
    semiring isa Union{MaxPlus,MinPlus,MaxTimes} || throw(ArgumentError(
        "a sum over $(nameof(typeof(semiring)))() is none of its terms: no configuration attains it"))
    T, Bs, plan = planned(semiring, expression, As, nothing)
    names = split(semiring_plan_labels(plan.handle), '\n'; keepempty = false)
    C = Array{T}(undef, plan.output_size...)
    places = Array{Int64}(undef, length(names), plan.output_size...)
    GC.@preserve plan with_tensors(Any[Bs; Any[C]; Any[places]]) do tensors
        count = length(Bs)
        semiring_plan_argmax(plan.handle, tensors, count, tensor(tensors, count + 1), tensor(tensors, count + 2))
    end
    places .+= 1
    labels = expression isa Pair ? Int[parse(Int, strip(name, ['{', '}'])) for name in names] : String.(names)
    return (ndims(C) == 0 ? C[] : C), labels => places
end
