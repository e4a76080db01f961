# Positions as labels: what `einsum!` makes of them, against permuted and reshaped arrays; and diagonals.
using TensorOxide, Test, Random, LinearAlgebra
using TensorOxide: add_labels, trace_labels, contract_labels, on_diagonals

"A random permutation in two parts."
function random_parts(rng, n, first)
    p = randperm(rng, n)
    return Tuple(p[1:first]), Tuple(p[first+1:n])
end
at(labels, p) = [labels[i] for i in p]

@testset "written out" begin
    @test add_labels(()) == (((),) => ())
    @test add_labels((2, 1)) == (((1, 2),) => (2, 1))
    @test trace_labels((), ((1,), (2,))) == (((1, 1),) => ())
    @test trace_labels((4, 1), ((2, 6), (5, 3))) == (((1, 2, 6, 4, 2, 6),) => (4, 1))
    @test contract_labels(((), ()), ((), ()), ()) == (((), ()) => ())
    @test contract_labels(((3,), (1, 2)), ((2, 3), (1,)), (2, 1)) == (((1, 2, 3), (4, 1, 2)) => (4, 3))
    @test @inferred(contract_labels(((1,), (2,)), ((1,), (2,)), (1, 2))) == (((1, 2), (2, 4)) => (1, 4))
end

# What meets has one label, what stays comes in the order that is asked for, and nothing else is equal.
@testset "random positions" begin
    rng = MersenneTwister(1)
    for trial in 1:20
        n, k, m = rand(rng, 0:2), rand(rng, 0:2), rand(rng, 0:2)
        pA, pB, pC = random_parts(rng, n + k, n), random_parts(rng, k + m, k), Tuple(randperm(rng, n + m))
        (A, B), C = contract_labels(pA, pB, pC)
        @test at(A, pA[2]) == at(B, pB[1])
        @test collect(C) == at([at(A, pA[1]); at(B, pB[2])], pC)
        @test allunique([A...; at(B, pB[2])...]) && length(B) == k + m

        p, q = random_parts(rng, n + 2k, n)
        q = q[1:k], q[k+1:end]
        (A,), C = trace_labels(p, q)
        @test at(A, q[1]) == at(A, q[2]) && collect(C) == at(A, p)
        @test allunique([C...; at(A, q[1])...]) && length(A) == n + 2k

        (A,), C = add_labels(pC)
        @test allunique(A) && collect(C) == at(A, pC)
    end
end

@testset "against Julia" begin
    rng = MersenneTwister(2)
    A, B, C = randn(rng, 3, 4, 2), randn(rng, 5, 4), fill(NaN, 2, 5, 3)
    einsum!(C, contract_labels(((1, 3), (2,)), ((2,), (1,)), (2, 3, 1)), A, B)
    @test all(C[:, j, i] ≈ transpose(A[i, :, :]) * B[j, :] for i in 1:3, j in 1:5)
    @test einsum!(fill(NaN, 4), trace_labels((2,), ((1,), (3,))), A[1:2, :, :]) ≈ A[1, :, 1] + A[2, :, 2]
    @test einsum!(fill(NaN, 2, 3, 4), add_labels((3, 1, 2)), A) == permutedims(A, (3, 1, 2))
end

@testset "diagonals" begin
    D, E = Diagonal([2.0, 3.0]), Diagonal([5.0, 7.0])
    A, M, C = reshape(1.0:8.0, 2, 2, 2) |> Array, [1.0 2.0; 3.0 4.0], zeros(2, 2)
    same = contract_labels(((1,), (2,)), ((1,), (2,)), (1, 2))
    @test on_diagonals(same, C, (M, M)) == (same, C, (M, M))
    @test on_diagonals(same, C, (M, D)) == (((1, 2), (2,)) => (1, 2), C, (M, D.diag))
    @test on_diagonals(same, C, (D, M)) == (((1,), (1, 4)) => (1, 4), C, (D.diag, M))
    @test on_diagonals(same, C, (D, E)) == (((1,), (1,)) => (1, 1), C, (D.diag, E.diag))
    @test on_diagonals(same, E, (D, E)) == (((1,), (1,)) => (1,), E.diag, (D.diag, E.diag))
    @test_throws ArgumentError on_diagonals(same, E, (M, D))
    # Every way for a matrix and a diagonal to meet; what was in the output counts.
    for (p, q, r) in [(((1,), (2,)), ((1,), (2,)), (2, 1)), ((((), (1, 2))), ((2, 1), ()), ()),
                      (((2, 1), ()), ((), (1, 2)), (3, 1, 2, 4)), (((2,), (1,)), ((2,), (1,)), (1, 2))]
        for (X, Y) in ((M, D), (D, M), (D, E))
            labels = contract_labels(p, q, r)
            shape = ntuple(_ -> 2, length(r))
            C, expected = ones(shape), ones(shape)
            einsum!(expected, labels, Array(X), Array(Y); β = 3)
            united, C, operands = on_diagonals(labels, C, (X, Y))
            @test einsum!(C, united, operands...; β = 3) == expected
        end
    end
    united, C, operands = on_diagonals(trace_labels((), ((1,), (2,))), fill(0.0), (D,))
    @test einsum!(C, united, operands...) == fill(5.0)
    united, C, operands = on_diagonals(add_labels((2, 1)), fill(NaN, 2, 2), (D,))
    @test einsum!(C, united, operands...) == D
end
