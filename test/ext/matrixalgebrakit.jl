# The driver for MatrixAlgebraKit: what it refuses, and what of the caller's arrays and options it honours.
using TensorOxide, Test, Random, LinearAlgebra
import MatrixAlgebraKit as MAK
using MatrixAlgebraKit: diagview

const DRIVER = TensorOxideDriver()
const ELEMENTS = (Float32, Float64, ComplexF32, ComplexF64)

@testset "refused" begin
    A, H = randn(4, 3), Matrix(Symmetric(randn(3, 3)))
    @test DRIVER isa MAK.Driver && repr(DRIVER) == "TensorOxideDriver()"
    for alg in (MAK.QRIteration, MAK.Bisection, MAK.Jacobi, MAK.SVDViaPolar),
        f in (MAK.svd_compact, MAK.svd_full, MAK.svd_vals)

        @test_throws ArgumentError f(A; alg = alg(; driver = DRIVER))
    end
    for alg in (MAK.QRIteration, MAK.Bisection, MAK.Jacobi), f in (MAK.eigh_full, MAK.eigh_vals)
        @test_throws ArgumentError f(H; alg = alg(; driver = DRIVER))
    end
    unknown = ArgumentError("TensorOxideDriver() does not offer tol = 1")
    for f in (MAK.svd_compact, MAK.svd_full, MAK.svd_vals, MAK.svd_trunc),
        alg in (MAK.SafeDivideAndConquer, MAK.DivideAndConquer)

        @test_throws unknown f(A; alg = alg(; driver = DRIVER, tol = 1))
    end
    for f in (MAK.eigh_full, MAK.eigh_vals)
        @test_throws unknown f(H; driver = DRIVER, tol = 1)
    end
    for f in (MAK.eig_full, MAK.eig_vals), option in ((scale = false,), (permute = false,), (tol = 1,))
        @test_throws ArgumentError f(H; driver = DRIVER, option...)
    end
    for f in (MAK.schur_full, MAK.schur_vals), option in ((expert = true,), (scale = true,))
        @test_throws ArgumentError f(H; driver = DRIVER, option...)
    end
    for f in (MAK.qr_full, MAK.qr_compact, MAK.qr_null, MAK.lq_full, MAK.lq_compact, MAK.lq_null)
        @test_throws ArgumentError f(A; driver = DRIVER, blocksize = 2)
    end
    for T in (Float16, BigFloat, Complex{BigFloat}),
        (f, alg) in ((MAK.svd_compact, MAK.SafeDivideAndConquer), (MAK.qr_compact, MAK.Householder),
                     (MAK.lq_full, MAK.Householder), (MAK.eigh_full, MAK.DivideAndConquer),
                     (MAK.eig_full, MAK.QRIteration))

        @test_throws ArgumentError f(T.(H); alg = alg(; driver = DRIVER))
    end
    @test_throws ArgumentError MAK.svd_compact(Diagonal(ones(3)); alg = MAK.SafeDivideAndConquer(; driver = DRIVER))
    @test_throws ArgumentError MAK.svd_compact([NaN 1.0; 0 1]; driver = DRIVER)
    @test_throws DomainError MAK.eigh_full([0.0 1.0; 0 0]; driver = DRIVER)
    @test_throws DimensionMismatch MAK.eigh_vals(A; driver = DRIVER)

    # Outputs that do not fit.
    svd, eigh = MAK.SafeDivideAndConquer(; driver = DRIVER), MAK.RobustRepresentations(; driver = DRIVER)
    (U, S, Vᴴ), (D, V) = MAK.svd_compact(A), MAK.eigh_full(H)
    for out in ((U, S, V[:, 1:2]), (U[1:3, :], S, Vᴴ), (U, Diagonal(ones(2)), Vᴴ), (U, Diagonal(ones(4)), Vᴴ))
        @test_throws DimensionMismatch MAK.svd_compact!(copy(A), out, svd)
    end
    for out in ((ComplexF64.(U), S, Vᴴ), (U, Float32.(S), Vᴴ), (U, ComplexF64.(S), Vᴴ), (U, S, big.(Vᴴ)))
        @test_throws ArgumentError MAK.svd_compact!(copy(A), out, svd)
    end
    @test_throws DimensionMismatch MAK.svd_vals!(copy(A), ones(4), svd)
    @test_throws ArgumentError MAK.svd_vals!(copy(A), ones(Float32, 3), svd)
    @test_throws DimensionMismatch MAK.eigh_full!(copy(H), (D, V[:, 1:2]), eigh)
    @test_throws DimensionMismatch MAK.eigh_full!(copy(H), (Diagonal(ones(2)), V), eigh)
    @test_throws ArgumentError MAK.eigh_full!(copy(H), (D, Float32.(V)), eigh)
    @test_throws DimensionMismatch MAK.eigh_vals!(copy(H), ones(2), eigh)
end

"Arrays of these sizes with gaps between the elements."
apart(A::AbstractArray) = view(similar(A, 2 .* size(A)), map(n -> 1:2:2n, size(A))...)
apart(D::Diagonal) = Diagonal(apart(diagview(D)))
apart(results::Tuple) = map(apart, results)

@testset "no bytes, $T" for T in ELEMENTS
    A = randn(MersenneTwister(2), T, 4, 4)
    H = A + A'
    USVᴴ, DV = MAK.svd_compact(A), MAK.eigh_full(H)
    bytes(f!::F, A, out, alg) where {F} = (f!(A, out, alg); @allocated f!(A, out, alg))
    @test bytes(MAK.svd_compact!, A, USVᴴ, MAK.SafeDivideAndConquer(; driver = DRIVER)) == 0
    @test bytes(MAK.eigh_full!, H, DV, MAK.RobustRepresentations(; driver = DRIVER)) == 0
end

@testset "honoured, $T" for T in ELEMENTS
    rng = MersenneTwister(1)
    @testset "outputs and inputs that are views: $f" for (f, f!) in ((MAK.svd_compact, MAK.svd_compact!),
            (MAK.svd_full, MAK.svd_full!), (MAK.svd_vals, MAK.svd_vals!), (MAK.qr_compact, MAK.qr_compact!),
            (MAK.qr_full, MAK.qr_full!), (MAK.qr_null, MAK.qr_null!), (MAK.lq_compact, MAK.lq_compact!),
            (MAK.lq_full, MAK.lq_full!), (MAK.lq_null, MAK.lq_null!), (MAK.eigh_full, MAK.eigh_full!),
            (MAK.eigh_vals, MAK.eigh_vals!), (MAK.eig_full, MAK.eig_full!), (MAK.eig_vals, MAK.eig_vals!),
            (MAK.schur_full, MAK.schur_full!), (MAK.schur_vals, MAK.schur_vals!))
        square = match(r"eig|schur", string(f)) !== nothing
        for (m, n) in (square ? ((5, 5), (1, 1)) : ((5, 3), (3, 5), (4, 4), (1, 1)))
            A = randn(rng, T, m, n)
            f in (MAK.eigh_full, MAK.eigh_vals) && (A = A + A')
            alg = MAK.select_algorithm(f, A, nothing; driver = DRIVER)
            expected = f(A, alg)
            for B in (A, copy(A')', copyto!(apart(A), A), view(reverse(A; dims = 1), m:-1:1, :))
                out = apart(expected)
                @test f!(B, out, alg) == out == expected
            end
        end
    end

    A = randn(rng, T, 6, 4)
    U, S, Vᴴ = MAK.svd_compact(A)
    for driven in (MAK.svd_compact(A; driver = DRIVER), MAK.svd_compact(A; driver = DRIVER, fixgauge = false))
        @test all(isapprox.(driven, (U, S, Vᴴ); rtol = 100eps(real(T))))
    end
    for trunc in (MAK.truncrank(2), MAK.trunctol(; rtol = 0.5), MAK.truncerror(; rtol = 0.5), (maxrank = 3, atol = 0.1))
        theirs, ours = MAK.svd_trunc(A; trunc), MAK.svd_trunc(A; trunc, driver = DRIVER)
        @test size.(theirs) == size.(ours) && all(isapprox.(theirs, ours; rtol = 100eps(real(T))))
    end
    @test MAK.qr_compact(A; driver = DRIVER)[2] ≈ MAK.qr_compact(A)[2]
    @test MAK.qr_compact(A; driver = DRIVER, pivoted = true)[2] ≈ MAK.qr_compact(A; pivoted = true)[2]
    @test MAK.lq_compact(A; driver = DRIVER)[1] ≈ MAK.lq_compact(A)[1]
    no_R = (similar(A), similar(A, 0, 0))
    @test MAK.qr_compact!(A, no_R, MAK.Householder(; driver = DRIVER))[1] ≈ MAK.qr_compact(A)[1]

    @test MAK.svd_full!(copy(A), map(copy, MAK.svd_full(A)), MAK.SafeDivideAndConquer(; driver = DRIVER))[2] ≈
          MAK.svd_full(A)[2]

    H = A'A
    E = copy(H)
    E[1, 2] += 1e-3
    @test_throws DomainError MAK.eigh_full(E; driver = DRIVER)
    @test MAK.eigh_vals(E; driver = DRIVER, hermitian_tol = 1e-2) ≈ MAK.eigh_vals(H) atol = 1e-2
    B = randn(rng, T, 5, 5)
    # Here the room for the Schur form is that of the matrix.
    @test MAK.schur_full!(copy(B), MAK.QRIteration(; driver = DRIVER)) == MAK.schur_full(B; driver = DRIVER)
    @test MAK.eig_vals(B; driver = DRIVER) ≈ sort(eigvals(B); by = w -> (real(w), imag(w))) rtol = 1e3eps(real(T))
    polar = MAK.PolarViaSVD(MAK.SafeDivideAndConquer(; driver = DRIVER))
    @test MAK.left_polar(A; alg = polar)[2] ≈ MAK.left_polar(A)[2]
    @test MAK.svd_vals(round.(Int, 10 * real(A)); driver = DRIVER) ≈ MAK.svd_vals(round.(Int, 10 * real(A)))
end
