# How strided arrays are described to the engine: pointer, strides and conjugation, against Julia's own indexing.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide

"The elements of `A`, read by its description alone."
function read_back(@nospecialize A)
    GC.@preserve A begin
        p, strides, conj = TO.layout(A, 1)
        x = gather(p, Int[strides...], Int[size(A)...])
        return conj ? Base.conj(x) : x
    end
end
function gather(p, strides, size)
    x = Vector{eltype(p)}(undef, prod(size))
    for k in eachindex(x)
        at, rest = 0, k - 1
        for (s, n) in zip(strides, size)
            rest, i = divrem(rest, n)
            at += i * s
        end
        x[k] = unsafe_load(p, at + 1)
    end
    return x
end
same(@nospecialize(A), @nospecialize(B = A)) = read_back(A) == vec(collect(B))

@testset "every layout reads back as Julia indexes it" begin
    rng = MersenneTwister(1)
    for T in (Float32, ComplexF64), shape in [(), (1,), (4,), (0,), (2, 3), (4, 1), (0, 3), (2, 3, 4), (2, 1, 3, 2)]
        for kind in layouts(T, shape)
            A, _ = kind(rng, T, shape)
            @test same(A)
        end
    end
end

@testset "wrappers of wrappers" begin
    A = randn(ComplexF64, 6, 8)
    @test same(transpose(A'), conj(A))
    @test same(view(A', 2:2:8, 6:-2:1), A'[2:2:8, 6:-2:1])
    @test same(view(A', 3, :), A'[3, :])
    @test same(PermutedDimsArray(A', (2, 1)), conj(A))
    v = view(A, 3, 1:2:8)
    @test same(v')
    @test same(transpose(v))
    @test same(view(A, 2, 3), fill(A[2, 3]))
    @test same(view(A, 5:20), A[5:20])
    @test same(view(transpose(A), :, 2:2:6), transpose(A)[:, 2:2:6])
    VERSION >= v"1.6" && @test same(reinterpret(reshape, Float64, A))
    B = randn(3, 4, 5)
    @test same(view(B, 2:3, :, 4), B[2:3, :, 4])
end

@testset "reshapes are views exactly where strides exist" begin
    A = randn(4, 6, 5)
    V = view(A, 1:2:4, :, :)                        # strides 2, 4, 24: the first two merge
    P = PermutedDimsArray(A, (3, 1, 2))             # strides 24, 1, 4: the last two merge
    for (B, shape) in [(V, (12, 5)), (V, (2, 3, 2, 5)), (V, (1, 2, 1, 6, 5, 1)), (V, (60,)), (P, (5, 24)),
                       (P, (5, 2, 12)), (P, (1, 5, 8, 3)), (view(A, :, :, 3:3), (24,)), (view(A, 2, 2, 2), (1, 1)),
                       (view(A, 1:0, :, :), (0, 3))]
        R = reshape(B, shape)
        @test same(R)
    end
    for (B, shape) in [(view(A, 1:3, :, :), (18, 5)), (P, (10, 12)), (P, (120,)), (view(A, :, 1:3, :), (60,))]
        @test_throws ArgumentError TO.layout(reshape(B, shape), 1)
    end
end

@testset "arrays without strides are refused by name" begin
    A = randn(4, 4)
    nonstrided = Any[Diagonal(A), Symmetric(A), UpperTriangular(A), view(A, [1, 3], :), 1.0:3.0, Symmetric(A)',
                     reinterpret(Float32, transpose(A)), reinterpret(Float64, randn(ComplexF64, 2, 2)')]
    for B in nonstrided
        error = try TO.layout(B, 3) catch e; e end
        @test error isa ArgumentError
        @test occursin("operand 3", error.msg) && occursin("pass a copy", error.msg)
    end
end
