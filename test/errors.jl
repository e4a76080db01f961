# Wrong input: the exception's type, a text that names operand, label and sizes, and nothing overwritten.
using TensorOxide, Test, LinearAlgebra
const TO = TensorOxide

"A dense array, each column of which is the same memory, as no array of Julia's own is."
struct Overlapping <: DenseMatrix{Float64}
    data::Vector{Float64}
end
Base.size(A::Overlapping) = (length(A.data), 2)
Base.getindex(A::Overlapping, i::Int, j::Int) = A.data[i]
Base.strides(::Overlapping) = (1, 0)
Base.unsafe_convert(::Type{Ptr{Float64}}, A::Overlapping) = pointer(A.data)

"Whether `f()` throws a `type` whose text has all these `words`."
function refuses(f, type, words...)
    error = try
        f()
        nothing
    catch e
        e
    end
    # Not as Julia shows it: older versions print some of these texts with their line breaks escaped.
    text = error === nothing ? "no error" : hasproperty(error, :msg) ? error.msg : sprint(showerror, error)
    good = error isa type && all(word -> occursin(word, text), words)
    good || println("expected $type with $words, but: $text")
    return good
end

"Whether `einsum!` and the plan refuse, and leave the output as it was."
function refuses_in_place(type, words, C, expression, As...; kwargs...)
    before = copy(C)
    return refuses(() -> einsum!(C, expression, As...; kwargs...), type, words...) && isequal(C, before)
end

const A23, A34, A22 = ones(2, 3), ones(3, 4), [1.0 2.0; 3.0 4.0]

@testset "notation" begin
    @test refuses(() -> einsum("ij,jk->iq", A23, A34), ArgumentError, "'q'", "output")
    @test refuses(() -> einsum("ij,jk->...ik", A23, A34), ArgumentError, "ellipsis")
    @test refuses(() -> einsum("ij,(jk->ik", A23, A34), ArgumentError, "parenthesis")
    @test refuses(() -> einsum("i+,jk->ik", A23, A34), ArgumentError, "'+'", "i+,jk->ik\n   ^")
    @test refuses(() -> einsum("ij\0->ij", A23), ArgumentError)
    @test refuses(() -> contraction_plan("ij->iq", [(2, 3)]), ArgumentError, "'q'")
    C = fill(NaN, 2, 4)
    @test refuses_in_place(ArgumentError, ["'q'"], C, "ij,jk->iq", A23, A34)
end

@testset "operands" begin
    @test refuses(() -> einsum("ij,jk->ik", A23), ArgumentError, "2 operand", "1")
    @test refuses(() -> einsum("ij,jk->ik", A23, A34, A34), ArgumentError, "2 operand", "3")
    @test refuses(() -> einsum("ij,jk->ik"), ArgumentError, "2 operand", "0")
    @test refuses(() -> einsum("ij,jkl->ikl", A23, A34), DimensionMismatch, "operand 2", "jkl", "[3, 4]")
    @test refuses(() -> einsum("ij,jk->ik", A23, A22), DimensionMismatch, "'j'", "3 in operand 1", "2 in operand 2")
    @test refuses(() -> einsum("ii->i", A23), DimensionMismatch, "'i'", "2", "3")
    @test refuses(() -> contraction_plan("ij,jk->ik", [(2, 3)]), ArgumentError, "2 operand")
    @test refuses(() -> contraction_plan("ij,jk->ik", [(2, 3), (2, 2)]), DimensionMismatch, "'j'")
    @test refuses(() -> contraction_plan("ij->ij", [(2, -3)]), ArgumentError, "-3")
    @test refuses(() -> contraction_plan("i,j->ij", [(2^40,), (2^40,)]), OverflowError)
    @test refuses(() -> contraction_plan("ij->ij", [(2, 3)]; memory_limit = -1), ArgumentError, "memory_limit")
    @test refuses(() -> contraction_plan("ij->ij", [(2, 3)]; conj = (true, true)), ArgumentError, "conj", "2 entries")
    @test refuses(() -> einsum("ij->ij", A23; conj = (true, true)), ArgumentError, "conj", "2 entries")
    @test refuses(() -> einsum("ij->ij", "text"), ArgumentError)
    C = fill(NaN, 2, 4)
    @test refuses_in_place(DimensionMismatch, ["'j'", "operand 2"], C, "ij,jk->ik", A23, A22)
end

@testset "the place in the expression" begin
    @test refuses(() -> einsum("ij,jk->ik", A23, A22), DimensionMismatch, "operand 2\n  ij,jk->ik\n   ^ ^")
    @test refuses(() -> einsum("ij,jkl->ikl", A23, A34), DimensionMismatch, "\n  ij,jkl->ikl\n     ^^^")
    @test refuses(() -> einsum("ii->i", A23[1:1, :]), DimensionMismatch, "1 in operand 1", "3 in operand 1", "\n  ^^")
    @test refuses(() -> einsum("...,...->...", A23, A22), DimensionMismatch, "axis 2 of the ellipsis", "\n  ^^^ ^^^")
    @test refuses(() -> einsum("字j,jk->字q", A23, A34), ArgumentError, "'q'", "\n  字j,jk->字q\n            ^")
    C = fill(NaN, 2, 4)
    @test refuses_in_place(DimensionMismatch, ["\n  ij,jk->ik\n   ^ ^"], C, "ij,jk->ik", A23, A22)
end

@testset "integer labels" begin
    @test refuses(() -> einsum(((1, 2), (2, 3)) => (1, 4), A23, A34), ArgumentError, "label {4} of the output")
    @test refuses(() -> einsum(((1, 2), (2, 3)) => (1, 3), A23, A22), DimensionMismatch, "label {2}", "     ^^^ ^^^")
    @test refuses(() -> einsum((1, 2) => (2, 1), A23), ArgumentError, "operand 1", "((1, 2), (2, 3)) => (1, 3)")
    @test refuses(() -> einsum((('a', 'b'),) => ('b',), A23), ArgumentError, "operand 1", "integers")
    @test refuses(() -> einsum(((1, 2),) => "a", A23), ArgumentError, "the output", "integers")
    @test refuses(() -> einsum(() => ()), ArgumentError, "no operand")
    @test refuses(() -> contraction_plan([[1, 2]] => [2.5], [(2, 3)]), ArgumentError, "the output", "2.5")
end

@testset "element types" begin
    @test refuses(() -> einsum("ij->ji", Float16.(A23)), ArgumentError, "operand 1", "Float16", "Float32")
    @test refuses(() -> einsum("ij,jk->ik", A23, big.(A34)), ArgumentError, "operand 2", "BigFloat")
    @test refuses(() -> einsum("ij,jk->ik", A23, Any[1 2; 3 4; 5 6]), ArgumentError, "operand 2", "Any")
    @test refuses(() -> einsum("ij->ji", ["a" "b"]), ArgumentError, "operand 1", "String")
    @test refuses(() -> contraction_plan("ij->ij", [(2, 3)]; eltype = Float16), ArgumentError, "Float16")
    @test refuses(() -> contraction_plan("ij->ij", [(2, 3)]; eltype = Real), ArgumentError, "Real")
    plan = contraction_plan("ij,jk->ik", [(2, 3), (3, 4)]; eltype = Float32)
    @test refuses(() -> plan(A23, A34), ArgumentError, "operand 1", "Float64", "Float32")
    @test refuses(() -> plan(ones(2, 4), Float32.(A23), Float32.(A34)), ArgumentError, "output", "Float32")
    C = zeros(Float32, 2, 4)
    @test refuses_in_place(ArgumentError, ["operand 1", "Float64"], C, "ij,jk->ik", A23, A34)
    @test refuses_in_place(ArgumentError, ["operand 2", "Complex", "Float64"], zeros(2, 4), "ij,jk->ik", A23, A34 * im)
    @test refuses_in_place(ArgumentError, ["output", "Int"], zeros(Int, 2, 4), "ij,jk->ik", A23, A34)
    @test refuses_in_place(ArgumentError, ["α", "not real"], zeros(2, 4), "ij,jk->ik", A23, A34; α = 1im)
    @test refuses_in_place(ArgumentError, ["β", "not real"], zeros(2, 4), "ij,jk->ik", A23, A34; β = 1im)
    @test refuses(() -> TO.svd_compact(big.(A22)), ArgumentError, "BigFloat")
    @test refuses(() -> TO.svd_compact(Any[1 2; 3 4]), ArgumentError, "Any")
end

@testset "memory layouts" begin
    U = UpperTriangular(A22)
    @test refuses(() -> einsum("ij,jk->ik", A22, U), ArgumentError, "operand 2", "UpperTriangular", "copy")
    @test refuses(() -> einsum("ij->ji", view(A22, [2, 1], :)), ArgumentError, "operand 1", "copy")
    @test refuses(() -> TO.qr_compact(U), ArgumentError, "UpperTriangular", "copy")
    S = Symmetric(zeros(2, 2))
    @test refuses(() -> einsum!(S, "ij->ij", A22), ArgumentError, "output", "Symmetric") && S == zeros(2, 2)
end

@testset "outputs" begin
    for C in (fill(NaN, 4, 2), fill(NaN, 2, 3), fill(NaN, 8), fill(NaN, 2, 4, 1))
        @test refuses_in_place(DimensionMismatch, ["output", "2", "4"], C, "ij,jk->ik", A23, A34)
    end
    @test refuses_in_place(DimensionMismatch, ["output"], zeros(1), "ij,ij->", A22, A22)
    plan = contraction_plan("ij,jk->ik", [(2, 3), (3, 4)])
    C = fill(NaN, 2, 2)
    @test refuses(() -> plan(C, A23, A34), DimensionMismatch, "output") && all(isnan, C)
    @test refuses(() -> plan(fill(NaN, 2, 4), A23, ones(3, 3)), DimensionMismatch, "operand 2")
    @test refuses(() -> plan(A23), ArgumentError, "2 operands", "1 array")
    @test refuses(() -> plan(A23, A23, A34, A34), ArgumentError, "2 operands", "4 array")
    @test refuses(() -> plan(A23, A34; β = 1), ArgumentError, "β")
    @test refuses(() -> plan(1.0, A23, A34), ArgumentError, "output")
end

@testset "shared memory" begin
    M = collect(reshape(1.0:16.0, 4, 4))
    @test refuses_in_place(ArgumentError, ["output", "operand 1"], M, "ij,jk->ik", M, ones(4, 4))
    @test refuses_in_place(ArgumentError, ["output", "operand 2"], M, "ij,jk->ik", ones(4, 4), M')
    @test refuses_in_place(ArgumentError, ["output", "operand 1"], view(M, 1:2, :), "ij->ij", view(M, 2:3, :))
    # Interleaved, but without a common element: allowed.
    einsum!(view(M, 1:2:3, :), "ij->ij", view(M, 2:2:4, :))
    @test M[1, :] == M[2, :] == 2:4:14
    twice = Overlapping(zeros(3))
    @test refuses(() -> einsum!(twice, "ij->ij", ones(3, 2)), ArgumentError, "output") && twice.data == zeros(3)
end

@testset "decompositions" begin
    for f in (TO.svd_compact, TO.svd_trunc, TO.qr_compact, TO.eigh_full), T in TYPES, bad in (NaN, Inf, -Inf)
        A = Matrix{T}(I, 3, 3)
        A[2, 2] = bad
        @test refuses(() -> f(A), ArgumentError, "NaN or infinity")
        A = Matrix{T}(I, 3, 3)
        A[3, 1] = A[1, 3] = bad
        @test refuses(() -> f(A), ArgumentError, "NaN or infinity")
    end
    @test refuses(() -> TO.eigh_full(A23), DimensionMismatch, "(2, 3)", "square")
    @test refuses(() -> TO.eigh_full(A22), ArgumentError, "not Hermitian")
    @test refuses(() -> TO.eigh_full([1 im; im 1]), ArgumentError, "not Hermitian")
    @test refuses(() -> TO.eigh_full(fill(1im, 1, 1)), ArgumentError, "not Hermitian")
    @test refuses(() -> TO.svd_trunc(A22; maxrank = -1), ArgumentError, "maxrank", "-1")
    @test refuses(() -> TO.svd_trunc(A22; minrank = -1), ArgumentError, "minrank", "-1")
    for bound in (-1.0, NaN), rule in (:atol, :rtol, :discarded_weight)
        @test refuses(() -> TO.svd_trunc(A22; (rule => bound,)...), ArgumentError, string(rule))
    end
    for f in (TO.svd_trunc, TO.eigh_trunc)
        @test refuses(() -> f(ones(2, 2); method = :exact), ArgumentError, ":exact", ":randomized")
        @test refuses(() -> f(ones(2, 2); tol = -1), ArgumentError, "tol", "-1")
    end
    @test refuses(() -> TO.svd_compact(ones(3)), DimensionMismatch)
end

# No input is known with which every driver fails; the engine's own tests hold what its text says.
@testset "no convergence" begin
    causes = isdefined(Base, :current_exceptions) ? Base.current_exceptions : Base.catch_stack
    text = "no driver converged; tried, in this order: LAPACK gesdd, faer"
    try
        TO.throw_no_convergence(text)
        @test false
    catch e
        @test e isa LinearAlgebra.LAPACKException
        cause, shown = map(first, collect(causes()))[end-1:end]
        @test shown === e
        @test cause isa ErrorException && cause.msg == text
    end
end

# What the Julia face never asks for, asked past it: the boundary refuses by itself.
@testset "at the boundary" begin
    plan = contraction_plan("ij,jk->ik", [(2, 2), (2, 2)])
    C, α, β = zeros(2, 2), ComplexF64(1), ComplexF64(0)
    @test refuses(() -> TO.execute!(plan, C, (A22, Float32.(A22)), α, β), ArgumentError, "operand 2", "type")
    @test refuses(() -> TO.execute!(plan, zeros(ComplexF64, 2, 2), (A22, A22), α, β), ArgumentError, "output", "type")
    @test refuses(() -> TO.execute!(plan, C, (A22,), α, β), ArgumentError, "2 operand", "1")
    nothing_there = TO.ContractionPlan{Float64,2,2,Nothing}(C_NULL, "", Vector{Int}[], (2, 2), TO.PlanInfo(), nothing)
    @test refuses(() -> nothing_there(C, A22, A22), ArgumentError, "NULL")
    @test refuses(() -> TO.plan_run(plan.handle, C_NULL, 2, C_NULL, C_NULL, α, β), ArgumentError, "NULL")
    frame = zeros(Int64, 100)
    GC.@preserve frame A22 C begin
        tensors = convert(Ptr{TO.DLTensor}, pointer(frame))
        room = pointer(frame, 50)
        for (k, A) in enumerate((A22, A22, C))
            _, room = TO.place!(tensors, k, room, A, k)
        end
        run() = TO.plan_run(plan.handle, tensors, 2, C_NULL, tensors + 2sizeof(TO.DLTensor), α, β)
        run()
        @test C == A22 * A22
        fill!(C, NaN)
        good = unsafe_load(tensors, 2)
        for (field, wrong, words) in [(:ndim, Int32(-1), ["operand 2"]), (:device, TO.DLDevice(2, 0), ["operand 2"]),
                                      (:dtype, TO.DLDataType(0, 64, 1), ["operand 2"]),
                                      (:dtype, TO.DLDataType(2, 64, 2), ["operand 2"]),
                                      (:data, C_NULL, ["operand 2", "NULL"]), (:shape, Ptr{Int64}(0), ["operand 2"])]
            bad = [name === field ? wrong : getfield(good, name) for name in fieldnames(TO.DLTensor)]
            unsafe_store!(tensors, TO.DLTensor(bad...), 2)
            @test refuses(run, ArgumentError, words...)
        end
        unsafe_store!(tensors, good, 2)
        unsafe_store!(good.shape, -2)
        @test refuses(run, ArgumentError, "operand 2", "-2")
        @test all(isnan, C)
    end
end

@testset "settings" begin
    @test refuses(() -> TO.set_num_threads(0), ArgumentError, "0")
    @test refuses(() -> TO.set_provider(:mkl), ArgumentError, ":mkl")
end
