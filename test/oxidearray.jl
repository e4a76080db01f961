# Our own type of array: as an array, its products and decompositions against `Array`'s; that no other library gets it.
using TensorOxide, Test, Random, LinearAlgebra
const TO = TensorOxide
using TensorOxide: OxideArray, OxideVector, OxideMatrix, oxide

const ELEMENTS = (Float32, Float64, ComplexF32, ComplexF64)

@testset "as an array, $T" for T in ELEMENTS
    rng = MersenneTwister(1)
    @testset "$shape" for shape in [(), (0,), (1,), (5,), (3, 4), (0, 3), (1, 1), (2, 1, 3), (2, 3, 1, 2, 1, 2)]
        X = randn(rng, T, shape)
        A = OxideArray(X)
        @test A isa OxideArray{T,length(shape)} && size(A) == shape && length(A) == length(X)
        @test A == X && Array(A) == X && Array(A) isa Array{T,length(shape)} && strides(A) == strides(X)
        @test copy(A) == X && copy(A).memory !== A.memory && typeof(copy(A)) === typeof(A)
        @test similar(A) isa typeof(A) && similar(A, Float32) isa OxideArray{Float32}
        @test similar(A, Bool) isa Array{Bool}
        @test vec(A) == vec(X) && reshape(A, length(X), 1) == reshape(X, length(X), 1)
        @test vec(A).memory === A.memory && vec(A) isa OxideVector{T}
        @test convert(OxideArray, A) === A && convert(OxideArray{T}, X) == X && oxide(X) == X
        @test fill!(copy(A), 2) == fill!(copy(X), 2)
        shape == () && continue     # whose broadcasts are numbers, of any array
        @test 2A == 2X && -A == -X && map(abs, A) == map(abs, X) && typeof(2A) === typeof(A)
        @test A ./ 2 == X ./ 2 && A .+ X == 2X && conj(A) == conj(X) && real(A) == real(X)
        @test (A .+ X) isa OxideArray && (A .== X) isa AbstractArray{Bool}
        for order in (1:length(shape), length(shape):-1:1, [2:length(shape); 1:min(1, length(shape))])
            @test permutedims(A, (order...,)) == permutedims(X, (order...,))
            @test permutedims(A, (order...,)) isa typeof(A)
        end
    end
    @test OxideVector{T}() == T[]
    @test OxideMatrix{T}(undef, 2, 3) isa OxideMatrix{T} && OxideArray{T,2}(undef, (2, 3)) isa OxideMatrix{T}
    @test convert(OxideVector{ComplexF64}, T[1, 2]) isa OxideVector{ComplexF64}
    @test promote_type(OxideVector{T}, Vector{Float64}) === OxideVector{promote_type(T, Float64)}
    @test promote_type(OxideVector{T}, OxideVector{Float64}) === OxideVector{promote_type(T, Float64)}
end

@testset "views" begin
    v = OxideArray(collect(1.0:10))
    w = view(v, 3:5)
    @test w isa OxideVector{Float64} && w == 3:5 && Array(w) == 3:5 && copy(w) == 3:5
    w .= 0
    @test v == [1, 2, 0, 0, 0, 6, 7, 8, 9, 10]
    @test view(w, 2:2) == [0] && isempty(view(w, 2:1)) && reshape(view(v, 7:10), 2, 2) == [7 9; 8 10]
    @test_throws BoundsError view(w, 2:4)
    @test_throws BoundsError w[4]
    @test_throws BoundsError copyto!(w, ones(4))
    @test_throws ArgumentError append!(w, [1.0])
    append!(v, OxideArray([11.0]))
    @test length(v) == 11 && v[end] == 11 && w == zeros(3)
    # Parts of one memory that do not overlap are moved without a copy; those that do, as by Julia.
    view(v, 1:3) .= view(v, 6:8)
    @test v[1:3] == 6:8
    view(v, 6:9) .= view(v, 7:10)
    @test v[6:9] == 7:10
    @test view(OxideArray(ones(3, 4)), 1:2, :) isa SubArray
end

@testset "vectors, $T" for T in ELEMENTS
    rng = MersenneTwister(2)
    for shape in [(0,), (1,), (17,), (3, 5)]
        x, y = randn(rng, T, shape), randn(rng, T, shape)
        A, B = OxideArray(x), OxideArray(y)
        @test dot(A, B) ≈ dot(x, y) && dot(A, B) isa T
        for p in (1, 2, Inf, 3)
            @test norm(A, p) ≈ norm(x, p) && norm(A, p) isa real(T)
        end
        @test axpy!(2, A, copy(B)) ≈ y + 2x && axpby!(2, A, 3, copy(B)) ≈ 3y + 2x
        @test axpby!(2, A, 0, fill!(copy(B), NaN)) ≈ 2x
        @test rmul!(copy(A), 3) ≈ 3x && lmul!(3, copy(A)) ≈ 3x && normalize(A) ≈ normalize(x)
    end
    tiny, huge = floatmin(real(T)), floatmax(real(T)) / 4
    @test norm(OxideArray(T[3tiny, 4tiny])) ≈ 5tiny && norm(OxideArray(T[3huge, -huge])) ≈ sqrt(real(T)(10)) * huge
    @test norm(OxideArray(T[0, 0])) == 0 && norm(OxideArray(T[Inf, 1])) == Inf && isnan(norm(OxideArray(T[NaN, 1])))
    @test_throws DimensionMismatch dot(OxideArray(T[1]), OxideArray(T[1, 2]))
    @test_throws DimensionMismatch axpy!(1, OxideArray(T[1]), OxideArray(T[1, 2]))
end

@testset "products of matrices, $T" for T in ELEMENTS
    rng = MersenneTwister(3)
    for (m, k, n) in [(3, 4, 5), (1, 3, 1), (0, 2, 2), (2, 0, 2), (1, 1, 4)], f in (identity, transpose, adjoint),
        g in (identity, transpose, adjoint)
        X = f === identity ? randn(rng, T, m, k) : randn(rng, T, k, m)
        Y = g === identity ? randn(rng, T, k, n) : randn(rng, T, n, k)
        Z = randn(rng, T, m, n)
        A, B, C = f(OxideArray(X)), g(OxideArray(Y)), OxideArray(Z)
        @test A * B isa OxideMatrix{T} && A * B ≈ f(X) * g(Y)
        @test mul!(copy(C), A, B) ≈ f(X) * g(Y) && mul!(copy(C), A, B, 2, 3) ≈ 2f(X) * g(Y) + 3Z
        x = randn(rng, T, k)
        @test A * OxideArray(x) ≈ f(X) * x && mul!(OxideVector{T}(undef, m), A, OxideArray(x)) ≈ f(X) * x
    end
    @test_throws DimensionMismatch OxideArray(ones(T, 2, 1)) * OxideArray(ones(T, 3, 2))
end

@testset "decompositions by a rule, $T" for T in ELEMENTS
    rng = MersenneTwister(4)
    for (m, n) in SHAPES
        X = randn(rng, T, m, n)
        A = OxideArray(X)
        m * n > 0 && @testset "svd $m×$n" begin
            full = TO.svd_compact(X)[2]
            U, S, V = TO.svd_by((S, ϵ) -> (@test S ≈ full && ϵ == 0; length(S)), A)
            @test near(Array(U) * Diagonal(S) * transpose(Array(V)), X) && U isa OxideMatrix{T}
            most = max(1, min(m, n) - 1)
            kept = max(1, most - 1)
            U, S, V = TO.svd_by(A, most) do S, ϵ
                @test S ≈ full[1:most] && isapprox(ϵ, norm(full[most+1:end]); atol = tolerance(X) * norm(X))
                kept
            end
            @test size(U) == (m, kept) && size(V) == (n, kept) && S ≈ full[1:kept]
            @test orthonormal(Array(U)) && orthonormal(Array(V))
            @test isapprox(norm(Array(U) * Diagonal(S) * transpose(Array(V)) - X), norm(full[kept+1:end]);
                           atol = tolerance(X) * norm(X))
        end
        Q, R = TO.qr_of(A)
        @test near(Array(Q * R), X) && orthonormal(Array(Q)) && istriu(R) && positive_diagonal(Array(R))
        Q, L = TO.ql_of(A)
        k = min(m, n)
        @test near(Array(Q * L), X) && orthonormal(Array(Q)) && istril(Array(L), n - k)
        @test all(x -> real(x) >= 0 && imag(x) == 0, diag(Array(L), n - k))
        m == n && m > 0 || continue
        H = X + X'
        w, V = TO.eigh_by(length, Hermitian(OxideArray(H)))
        @test issorted(abs.(w); rev = true) && near(Array(V) * Diagonal(Array(w)) * Array(V)', H)
        w, V = TO.eigh_by(w -> 1, Hermitian(OxideArray(H)))
        @test size(V) == (m, 1) && near(H * Array(V), Array(V) * w[1]; scale = norm(H))
        w, V = TO.eig_by(length, A)
        @test norm(X * Array(V) - Array(V) * Diagonal(Array(w))) <= 10tolerance(X) * norm(X)
    end
end

@testset "what is refused" begin
    A = OxideArray(randn(3, 3))
    for f in (svd, qr, eigen, lu, X -> LinearAlgebra.BLAS.gemm('N', 'N', X, X), X -> LinearAlgebra.BLAS.nrm2(vec(X)),
              pointer)
        @test_throws ArgumentError f(A)
    end
    @test occursin("Array(A)", try svd(A); "" catch e; e.msg end)
    @test_throws ArgumentError OxideArray([1, 2])
    @test_throws ArgumentError OxideVector{Int}(undef, 2)
    @test_throws ArgumentError OxideMatrix{Float64}(undef, -1, 2)
    @test_throws DimensionMismatch reshape(A, 2, 2)
    @test_throws ArgumentError permutedims(A, (1, 1))
    @test_throws InexactError copyto!(A, [1.0im])
end
