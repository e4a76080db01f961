# Adapt to and from OxideArray: whatever Adapt can take apart, `adapt(OxideVector, x)` and `adapt(Array, x)` convert.
module TensorOxideAdaptExt

using Adapt: Adapt, adapt
using TensorOxide: TensorOxide, Element, OxideArray, OxideVector

# As for the arrays of devices: the number of dimensions stays, and so do the elements unless they are named.
Adapt.adapt_storage(::Type{<:OxideArray}, A::AbstractArray{<:Element}) = convert(OxideArray, A)
Adapt.adapt_storage(::Type{<:OxideArray{T}}, A::AbstractArray{<:Element}) where {T} = convert(OxideArray{T}, A)

TensorOxide.oxide(x) = adapt(OxideVector, x)

end
