# OMEinsum's codes and optimised trees as expressions of ours. Nothing is computed here.
module TensorOxideOMEinsumExt

using OMEinsum: AbstractEinsum, EinCode, NestedEinsum, SlicedEinsum, getixsv, getiyv, isleaf, siblings, tensorindex
using TensorOxide: TensorOxide, contraction_plan, einsum, einsum!

labels(code) = TensorOxide.numbered(getixsv(code), getiyv(code))

tree(code::NestedEinsum) = isleaf(code) ? tensorindex(code) : Any[tree(part) for part in siblings(code)]

"The text of a code, and the operands in the order in which they stand there."
text(code::EinCode, As) = TensorOxide.text(labels(code)), As
function text(code::NestedEinsum, As)
    written, order = TensorOxide.parenthesised(labels(code), tree(code))
    return written, As[order]
end
text(code::SlicedEinsum, As) = throw(ArgumentError("a sliced code has a plan, not a call: " *
    "contraction_plan(code, shapes; memory_limit), which takes its tree and chooses the slices for that limit"))

TensorOxide.contraction_plan(code::EinCode, shapes; options...) = contraction_plan(labels(code), shapes; options...)
TensorOxide.contraction_plan(code::NestedEinsum, shapes; options...) =
    contraction_plan(labels(code), shapes; path = :tree => tree(code), options...)
function TensorOxide.contraction_plan(code::SlicedEinsum, shapes; memory_limit::Integer = 0, options...)
    memory_limit > 0 || isempty(code.slicing) || throw(ArgumentError(
        "the code slices $(length(code.slicing)) labels; give the memory_limit that they are for, and slices are chosen for it"))
    return contraction_plan(code.eins, shapes; memory_limit, options...)
end

function TensorOxide.einsum(code::AbstractEinsum, As...; options...)
    written, operands = text(code, As)
    return einsum(written, operands...; options...)
end
function TensorOxide.einsum!(C::AbstractArray, code::AbstractEinsum, As...; options...)
    written, operands = text(code, As)
    return einsum!(C, written, operands...; options...)
end

end
