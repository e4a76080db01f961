# MatrixAlgebraKit's own test suite, read from where that package lies: first with the driver named in the algorithms,
# then with the driver in place of LAPACK, as what `DefaultDriver()` finds.
using TensorOxide, Test
import MatrixAlgebraKit as MAK

const DRIVEN = TensorOxideDriver()
const FLOATS = (Float32, Float64, ComplexF32, ComplexF64)

# It asks for packages of GPUs and of compilers: those statements are left out, by what they mention.
mentions(ex::Expr, words) = any(arg -> mentions(arg, words), ex.args)
mentions(leaf::Union{Symbol,String}, words) = occursin(words, string(leaf))
mentions(leaf, words) = false
const ABSENT = r"^(Cu|AnyCu|CUDA|CUSOLVER|ROC|AnyROC|AMDGPU|Mooncake|Enzyme|mooncake/|enzyme/)"
function without_absent(ex)
    ex isa Expr || return ex
    ex.head in (:toplevel, :macrocall) && return Expr(ex.head, map(without_absent, ex.args)...)
    ex.head == :module || return ex
    return Expr(:module, ex.args[1:2]..., Expr(:block, filter(arg -> !mentions(arg, ABSENT), ex.args[3].args)...))
end
include(without_absent, joinpath(pkgdir(MAK), "test", "testsuite", "TestSuite.jl"))

const NAMED = (svd = (MAK.DivideAndConquer(; driver = DRIVEN),
                      MAK.SafeDivideAndConquer(; driver = DRIVEN, fixgauge = true)),
               eigh = (MAK.RobustRepresentations(; driver = DRIVEN), MAK.DivideAndConquer(; driver = DRIVEN)),
               qr = [MAK.Householder(; driver = DRIVEN, positive, pivoted)
                     for positive in (false, true) for pivoted in (false, true)],
               eig = (MAK.QRIteration(; driver = DRIVEN),))

@testset "its suite, driver named, $T" for T in FLOATS
    for m in (0, 54), n in (0, 37, m, 63)
        TestSuite.seed_rng!(123)
        TestSuite.test_svd_algs(T, (m, n), NAMED.svd)
    end
    for (m, n) in ((54, 37), (54, 54), (54, 63))
        TestSuite.seed_rng!(123)
        TestSuite.test_qr_algs(T, (m, n), NAMED.qr)
        TestSuite.test_lq_algs(T, (m, n), (NAMED.qr..., MAK.LQViaTransposedQR.(NAMED.qr)...))
        TestSuite.test_polar(T, (m, n), MAK.PolarViaSVD.(NAMED.svd))
    end
    TestSuite.seed_rng!(123)
    TestSuite.test_eigh_algs(T, (54, 54), NAMED.eigh)
    TestSuite.test_eig_algs(T, (54, 54), NAMED.eig)
    # Its test of `schur_vals` wants them in the order of LAPACK's `eig_vals`: below, where both are the driver's.
    TestSuite.test_schur_full_algs(T, (54, 54), NAMED.eig)
end

"Call `f` while the driver is what `DefaultDriver()` finds for arrays."
function in_place_of_lapack(f)
    before = collect(methods(MAK.default_driver))
    @eval MAK.default_driver(::Type{<:Array{<:$(Union{FLOATS...})}}) = DRIVEN
    try
        Base.invokelatest(f)
    finally
        foreach(Base.delete_method, setdiff(methods(MAK.default_driver), before))
    end
end

in_place_of_lapack() do
    @testset "its suite, driver in place of LAPACK, $T" for T in FLOATS
        @test MAK.default_driver(Matrix{T}) == DRIVEN
        for m in (0, 54), n in (0, 37, m, 63)
            TestSuite.seed_rng!(123)
            TestSuite.test_svd(T, (m, n))
        end
        for (m, n) in ((54, 37), (54, 54), (54, 63))
            TestSuite.seed_rng!(123)
            TestSuite.test_qr(T, (m, n); test_blocksize = false)
            TestSuite.test_lq(T, (m, n); test_blocksize = false)
        end
        for (m, n) in ((23, 17), (23, 23), (23, 27))
            TestSuite.seed_rng!(123)
            TestSuite.test_orthnull(T, (m, n))
        end
        TestSuite.seed_rng!(123)
        TestSuite.test_eigh(T, (54, 54))
        TestSuite.test_eig(T, (54, 54))
        TestSuite.test_schur(T, (54, 54))
    end
    # The types that its own tests take.
    @testset "its derivatives, driver in place of LAPACK, $T" for T in (Float32, ComplexF64), n in (17, 19, 23)
        TestSuite.seed_rng!(123)
        tolerance = 19 * n * TestSuite.precision(T)
        TestSuite.test_chainrules(T, (19, n); atol = tolerance, rtol = tolerance)
    end
end
@test MAK.default_driver(Matrix{Float64}) == MAK.LAPACK()
