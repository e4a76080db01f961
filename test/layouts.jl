# Arrays of one content in many layouts: what Julia can express as a strided array.
using LinearAlgebra, Random

const TYPES = (Float32, Float64, ComplexF32, ComplexF64)

"The ways to lay out an array of element type `T` and the given shape; each is a function of those and a generator."
function layouts(T, shape)
    n = length(shape)
    kinds = Function[plain]
    n > 0 && append!(kinds, [permuted, stepped, reversed, sliced, reshaped, nested])
    n == 2 && append!(kinds, [transposed, adjointed])
    n > 0 && T <: Complex && push!(kinds, reinterpreted)
    n > 0 && T <: Real && iseven(shape[1]) && push!(kinds, halves)
    return kinds
end

# Each returns the array and the memory behind it, which is larger where the array leaves gaps.
plain(rng, T, shape) = (A = randn(rng, T, shape...); A = A isa Number ? fill(A) : A; (A, A))
function permuted(rng, T, shape)
    p = Tuple(randperm(rng, length(shape)))
    A = randn(rng, T, shape[collect(p)]...)
    return PermutedDimsArray(A, invperm(p)), A
end
function stepped(rng, T, shape)
    steps = rand(rng, 1:3, length(shape))
    A = randn(rng, T, (shape .* steps .+ 2)...)
    return view(A, (2:s:2+s*(n-1) for (n, s) in zip(shape, steps))...), A
end
function reversed(rng, T, shape)
    A = randn(rng, T, shape...)
    return view(A, (rand(rng, Bool) ? (n:-1:1) : Colon() for n in shape)...), A
end
function sliced(rng, T, shape)
    at = rand(rng, 1:length(shape)+1)
    A = randn(rng, T, shape[1:at-1]..., 3, shape[at:end]...)
    return view(A, ntuple(_ -> :, at - 1)..., 2, ntuple(_ -> :, length(shape) + 1 - at)...), A
end
function reshaped(rng, T, shape)
    A = randn(rng, T, prod(shape), 3)
    return reshape(view(A, :, 2), shape), A
end
function nested(rng, T, shape)
    p = Tuple(randperm(rng, length(shape)))
    A, memory = stepped(rng, T, shape[collect(p)])
    return view(PermutedDimsArray(A, invperm(p)), (n:-1:1 for n in shape)...), memory
end
transposed(rng, T, shape) = (A = randn(rng, T, reverse(shape)...); (transpose(A), A))
adjointed(rng, T, shape) = (A = randn(rng, T, reverse(shape)...); (A', A))
function reinterpreted(rng, T, shape)
    A = randn(rng, real(T), 2shape[1], shape[2:end]...)
    return reinterpret(T, A), A
end
function halves(rng, T, shape)
    A = randn(rng, Complex{T}, shape[1] ÷ 2, shape[2:end]...)
    return reinterpret(T, A), A
end

any_layout(rng, T, shape) = rand(rng, layouts(T, shape))(rng, T, shape)
