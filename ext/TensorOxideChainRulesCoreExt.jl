# Registers the rules of src/rules.jl and src/gradient.jl with ChainRulesCore. Nothing is computed here: tangents are
# unwrapped on the way in and projected on the way out.
module TensorOxideChainRulesCoreExt

using ChainRulesCore
using TensorOxide: TensorOxide, ContractionPlan, einsum, einsum!

# What the rules call `nothing` is a zero here, and a tuple's tangent a tuple.
plain(x::AbstractZero) = nothing
plain(x::AbstractThunk) = plain(unthunk(x))
plain(x::Tangent) = map(plain, Tuple(ChainRulesCore.canonicalize(x)))
plain(x::Tuple) = map(plain, x)
plain(x) = x

tangent(::Nothing, primal) = NoTangent()
tangent(dy, primal) = dy
tangent(dy::Tuple, primal::Tuple) = Tangent{typeof(primal)}(map(tangent, dy, primal)...)

"Thunks of the arguments' cotangents, which the first one that is asked for has `compute` find, all together."
function lazily(compute, arguments...)
    found = Ref{Any}(nothing)
    all() = found[] === nothing ? (found[] = compute()) : found[]
    return ntuple(k -> lazy(() -> all()[k], arguments[k]), length(arguments))
end
lazy(get, argument::Union{Number,AbstractArray}) = (project = ProjectTo(argument); @thunk(project(tangent(get(), nothing))))
lazy(get, argument) = NoTangent()

for (f, _, _) in TensorOxide.RULES
    @eval function ChainRulesCore.rrule(::typeof($f), arguments...; options...)
        results = $f(arguments...; options...)
        back(cotangents) = (NoTangent(), lazily(arguments...) do
            TensorOxide.pullback($f, arguments, results, plain(cotangents); options...)
        end...)
        return results, back
    end

    @eval function ChainRulesCore.frule((own, tangents...), ::typeof($f), arguments...; options...)
        results = $f(arguments...; options...)
        dy = TensorOxide.pushforward($f, arguments, results, plain(tangents); options...)
        return results, tangent(dy, results)
    end
end

function ChainRulesCore.rrule(::typeof(einsum), expression, As...; conj = nothing, semiring = nothing)
    semiring === nothing || throw(ArgumentError("a contraction over a semiring has no derivative"))
    C, record = TensorOxide.recorded(einsum, expression, As...; conj = conj)
    back(C̄) = (NoTangent(), NoTangent(), lazily(() -> TensorOxide.pullback(record, plain(C̄); last = true), As...)...)
    return C, back
end
function ChainRulesCore.frule((own, tangents...), ::typeof(einsum), arguments...; conj = nothing)
    C = einsum(arguments...; conj = conj)
    return C, TensorOxide.pushforward(einsum, arguments, C, plain(tangents); conj = conj)
end

function ChainRulesCore.rrule(plan::ContractionPlan, As...)
    C, record = TensorOxide.recorded(plan, As...)
    back(C̄) = (NoTangent(), lazily(() -> TensorOxide.pullback(record, plain(C̄); last = true), As...)...)
    return C, back
end
function ChainRulesCore.frule((own, tangents...), plan::ContractionPlan, As...)
    C = plan(As...)
    return C, TensorOxide.pushforward(plan, As, C, plain(tangents))
end

# Of a Hermitian map; how it depends on parameters, the caller's automatic differentiation knows.
function ChainRulesCore.rrule(config::RuleConfig{>:HasReverseMode}, ::typeof(TensorOxide.eigsolve), map, x₀, howmany = 1,
                              which = :LM; ishermitian = true, options...)
    ishermitian || throw(ArgumentError("eigsolve has a rule for Hermitian maps only: use eigenpair_pullback"))
    vals, vecs, info = TensorOxide.eigsolve(map, x₀, howmany, which; options...)
    function back(cotangents)
        vals̄, vecs̄, _ = something(plain(cotangents), (nothing, nothing, nothing))
        pair(k) = k <= length(vals) && (get_or(vals̄, k) !== nothing || get_or(vecs̄, k) !== nothing)
        map̄ = NoTangent()
        for k in filter(pair, eachindex(vals))
            x = TensorOxide.eigenpair_pullback(map, vals[k], vecs[k], get_or(vals̄, k), get_or(vecs̄, k))
            map̄ = map̄ + rrule_via_ad(config, map, vecs[k])[2](x)[1]
        end
        return NoTangent(), map̄, ZeroTangent(), NoTangent(), NoTangent()
    end
    return (vals, vecs, info), back
end
get_or(::Nothing, k) = nothing
get_or(x, k) = plain(x[k])

# Where temporaries lie is nothing that a result depends on.
@non_differentiable TensorOxide.task_scratch()
@non_differentiable TensorOxide.mark(::Any)
@non_differentiable TensorOxide.go_back!(::Any, ::Any)

const MUTATES = "einsum! writes into an array, which reverse mode cannot follow: call einsum, or a plan without an output"
ChainRulesCore.rrule(::typeof(einsum!), arguments...; options...) = throw(ArgumentError(MUTATES))
ChainRulesCore.frule(tangents, ::typeof(einsum!), arguments...; options...) = throw(ArgumentError(MUTATES))

end
