# What Julia lends the engine, the number of threads, and what `versioninfo` says about both.
using TensorOxide, Test, LinearAlgebra
const TO = TensorOxide

@testset "BLAS and LAPACK are lent" begin
    lent = filter(TO.is_lent, [TO.BLAS_ROUTINES; TO.LAPACK_ROUTINES])
    # Julia on 64-bit systems comes with a BLAS of 64-bit integers.
    @test LinearAlgebra.BlasInt === Int32 ? isempty(lent) : lent == [TO.BLAS_ROUTINES; TO.LAPACK_ROUTINES]
    @test_throws ArgumentError TO.lend_blas("dgemv", C_NULL)
    @test_throws ArgumentError TO.lend_lapack("no_such_routine", Base.cglobal(:jl_gc_collect))
    TO.lend_libraries()         # a second time changes nothing and is no error
end

@testset "lent and own routines agree, $T" for T in TYPES
    A, B = randn(T, 40, 30), randn(T, 30, 50)
    H = B * B'
    ε = 100eps(real(T))
    results = map((:engine, :lent)) do provider
        TO.set_provider(provider)
        @test TO.provider() === provider
        einsum("ij,jk->ik", A, B), TO.svd_compact(A), TO.qr_compact(A), TO.eigh_full(H)
    end
    (C, usv, qr, eigen), (C₂, usv₂, qr₂, eigen₂) = results
    @test C ≈ C₂ rtol = ε
    @test C ≈ A * B rtol = ε
    for (F, G) in zip((usv..., qr...), (usv₂..., qr₂...))
        # Vectors differ by rounding over the least gap, which is about a hundredth of the norm here.
        @test F ≈ G rtol = 100ε
    end
    @test eigen[1] ≈ eigen₂[1] rtol = ε
end

@testset "threads" begin
    @test TO.num_threads() == TO.blas_threads()
    TO.set_num_threads(3)
    @test TO.num_threads() == 3
    TO.set_num_threads(TO.blas_threads())
end

@testset "versioninfo" begin
    text = sprint(TO.versioninfo)
    @test occursin(TO.engine_version(), text) && occursin(TO.library_path(), text)
    @test occursin("dgemm", text) && occursin("zgesdd", text)
    @test occursin(r"threads: +\d+", text)
    package = read(joinpath(dirname(@__DIR__), "Project.toml"), String)
    @test occursin("version = \"$(TO.engine_version())\"", package)
end
