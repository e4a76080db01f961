# Registers the rules of src/rules.jl with ChainRulesCore. Nothing is computed here: tangents are unwrapped on the way in and
# projected on the way out.
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

project(argument::Union{Number,AbstractArray}) = ProjectTo(argument)
project(argument) = _ -> NoTangent()

for (f, _, _) in TensorOxide.RULES
    @eval function ChainRulesCore.rrule(::typeof($f), arguments...; options...)
        results = $f(arguments...; options...)
        projections = map(project, arguments)
        function pullback(cotangents)
            x̄ = TensorOxide.pullback($f, arguments, results, plain(cotangents); options...)
            return (NoTangent(), map((p, x̄) -> p(tangent(x̄, nothing)), projections, x̄)...)
        end
        return results, pullback
    end

    @eval function ChainRulesCore.frule((_, tangents...), ::typeof($f), arguments...; options...)
        results = $f(arguments...; options...)
        dy = TensorOxide.pushforward($f, arguments, results, plain(tangents); options...)
        return results, tangent(dy, results)
    end
end

end
