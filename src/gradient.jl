# Derivatives of contractions: all cotangents of a contraction are planned together, along the tree of its pairs, so that
# what they have in common is computed once.

"""
    C, record = recorded(einsum, expression, A, B, …; conj = nothing)
    C, record = recorded(plan, A, B, …)

A contraction, and what it leaves for its [`pullback`](@ref): with that, the value and all cotangents take about three times the
arithmetic of the value. The operands have to stay as they are until then.

    Ā, B̄, … = pullback(record, C̄; last = false)

`last = true` gives the memory of the record back for the next one, without which it waits for the garbage collector; another
pullback then computes anew what it needs.

```jldoctest
julia> using TensorOxide

julia> A, x = [1.0 2.0; 3.0 4.0], [1.0, 1.0];

julia> y, record = TensorOxide.recorded(einsum, "ij,j->i", A, x);

julia> Ā, x̄ = TensorOxide.pullback(record, [1.0, 0.0]);

julia> Ā, x̄
([1.0 1.0; 0.0 0.0], [1.0, 2.0])
```
"""
function recorded(f, arguments...; conj = nothing)
    plan, As = planned(f, arguments, conj)
    C = empty_output(plan)
    record = Record(plan, As, operands_of(f, arguments))
    GC.@preserve plan with_tensors((As, (C,))) do tensors, (operands, output)
        handle = Ref{Ptr{Cvoid}}(C_NULL)
        gradient_forward(gradient_of(plan), tensors, length(As), unsafe_load(output), handle)
        record.handle = handle[]
    end
    return value_of(C), record
end

"What a contraction leaves for its cotangents."
mutable struct Record
    handle::Ptr{Cvoid}
    plan::ContractionPlan
    As::Vector{Any}
    arguments::Tuple
    Record(plan, As, arguments) = finalizer(free!, new(C_NULL, plan, As, arguments))
end

function pullback(record::Record, C̄; last::Bool = false)
    gradient = gradient_of(record.plan)
    Ās = cotangents(C̄, record.plan, record.As, record.arguments) do tensors, count, C̄, Ās
        record.handle == C_NULL ? gradient_run(gradient, tensors, count, C̄, Ās) :
                                  record_pullback(record.handle, tensors, count, C̄, Ās)
    end
    last && free!(record)
    return Ās
end

function free!(record::Record)
    record_destroy(record.handle)
    record.handle = C_NULL
end

function pullback(f::Union{typeof(einsum),ContractionPlan}, arguments::Tuple, C, C̄; conj = nothing)
    plan, As = planned(f, arguments, conj)
    gradient = gradient_of(plan)
    Ās = cotangents(C̄, plan, As, operands_of(f, arguments)) do tensors, count, C̄, Ās
        gradient_run(gradient, tensors, count, C̄, Ās)
    end
    return in_arguments(f, Ās)
end

function pushforward(f::Union{typeof(einsum),ContractionPlan}, arguments::Tuple, C, tangents::Tuple; conj = nothing)
    plan, As = planned(f, arguments, conj)
    Ȧs, Ċ = slopes_like(As, operands_of(f, tangents)), empty_output(plan)
    gradient = gradient_of(plan)
    GC.@preserve plan with_tensors((As, Ȧs, (Ċ,))) do tensors, (_, tangents, output)
        gradient_jvp(gradient, tensors, length(As), tangents, unsafe_load(output))
    end
    return value_of(Ċ)
end

function pullback_pushforward(f::Union{typeof(einsum),ContractionPlan}, arguments::Tuple, C, C̄, tangents::Tuple, dC̄;
                              conj = nothing)
    plan, As = planned(f, arguments, conj)
    Ȧs, gradient = slopes_like(As, operands_of(f, tangents)), gradient_of(plan)
    dC̄ = dC̄ === nothing ? nothing : output_like(plan, dC̄)
    dĀs = cotangents(C̄, plan, As, operands_of(f, arguments), Ȧs, (dC̄,)) do tensors, count, C̄, dĀs, Ȧs, dC̄
        gradient_pullback_jvp(gradient, tensors, count, Ȧs, C̄, unsafe_load(dC̄), dĀs)
    end
    return in_arguments(f, dĀs)
end

# The expression is an argument of `einsum` without a derivative; a plan is no argument.
operands_of(::typeof(einsum), arguments) = tail(arguments)
operands_of(::ContractionPlan, arguments) = arguments
in_arguments(::typeof(einsum), Ās) = (nothing, Ās...)
in_arguments(::ContractionPlan, Ās) = Ās

"The plan, and its operands as plain arrays: one that is shown conjugated is copied."
function planned(::typeof(einsum), arguments, conj)
    As = tail(arguments)
    T = element_type(nothing, As)
    Bs = Any[plain(T, A) for A in As]
    return cached_plan(nothing, T, first(arguments), Bs, conj), Bs
end
function planned(plan::ContractionPlan{T,N,M,Nothing}, arguments, conj) where {T,N,M}
    length(arguments) == M || throw(ArgumentError("the plan takes $M operands, not $(length(arguments))"))
    return plan, Any[plain(T, A) for A in arguments]
end
planned(plan::ContractionPlan, arguments, conj) = throw(ArgumentError("a contraction over a semiring has no derivative"))

value_of(C) = ndims(C) == 0 ? C[] : C

function output_like(plan::ContractionPlan{T}, C̄) where {T}
    C̄ = plain(T, C̄)
    size(C̄) == plan.output_size || throw(DimensionMismatch(
        "the cotangent has size $(size(C̄)), but $(repr(plan.expression)) gives size $(plan.output_size)"))
    return C̄
end

function slopes_like(As, tangents)
    length(tangents) == length(As) || throw(DimensionMismatch(
        "there are $(length(tangents)) tangents for $(length(As)) operands"))
    return Any[slope_like(A, Ȧ) for (A, Ȧ) in zip(As, tangents)]
end
slope_like(A, ::Nothing) = nothing
function slope_like(A, Ȧ)
    Ȧ = plain(eltype(A), Ȧ)
    size(Ȧ) == size(A) || throw(DimensionMismatch("a tangent of size $(size(Ȧ)) does not fit an operand of size $(size(A))"))
    return Ȧ
end

"The cotangents that `run` writes, in the form of the arguments; none of a `nothing` is wanted."
function cotangents(run, C̄, plan, As, arguments, others...)
    C̄ === nothing && return map(zero_like, arguments)
    Ās = Any[similar(A, size(A)) for A in As]
    GC.@preserve plan with_tensors((As, (output_like(plan, C̄),), Ās, others...)) do tensors, lists
        run(tensors, length(As), unsafe_load(lists[2]), lists[3:end]...)
    end
    return ntuple(k -> in_form_of(arguments[k], real_if(arguments[k], Ās[k])), length(arguments))
end
zero_like(A) = zero.(A)
real_if(argument, Ā) = eltype(argument) <: Real && !(eltype(Ā) <: Real) ? real(Ā) : Ā

const GRADIENTS = ReentrantLock()

"The engine's derivatives of a plan, made when they are first asked for; later calls take no lock."
function gradient_of(plan::ContractionPlan)
    plan.gradient == C_NULL && lock(() -> make_gradient!(plan), GRADIENTS)
    return plan.gradient
end

function make_gradient!(plan)
    plan.gradient == C_NULL || return     # another task was faster
    handle = Ref{Ptr{Cvoid}}(C_NULL)
    gradient_create(plan.handle, handle)
    plan.gradient = handle[]
end
