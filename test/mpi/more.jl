# The rest of results.jl, which takes a while to compile: `c` is the communicator.

let
    # A batch, as blocks of the output; a number; nothing at all.
    A, B = numbers(Float64, 32, 8, 8), numbers(Float64, 32, 8, 8)
    plan = contraction_plan("bij,bjk->bik", (size(A), size(B)); comm = c, slices = 32)
    @test plan(A, B) == einsum("bij,bjk->bik", A, B)
    plan = contraction_plan("bij,bij->", (size(A), size(B)); comm = c)
    @test plan(A, B) ≈ sum(A .* B)
    plan = contraction_plan("ij,jk->ik", ((0, 4), (4, 3)); comm = c)
    @test plan(zeros(0, 4), zeros(4, 3)) == zeros(0, 3)

    # Progress, and what it throws.
    seen = Any[]
    plan = contraction_plan("bij,bjk->bik", (size(A), size(B)); comm = c, slices = 32)
    plan(A, B; progress = p -> push!(seen, p))
    @test rank != 0 || (last(seen).done == last(seen).slices == 32 && last(seen).rate > 0 && last(seen).remaining == 0)

    # What is refused on all ranks, and by which: the communicator goes on.
    @test_throws ArgumentError contraction_plan("ij,jk->i?", ((2, 2), (2, 2)); comm = c)
    @test_throws ArgumentError contraction_plan("ij,jk->ik", ((2, 2), (2, 2)); comm = c, semiring = MaxPlus())
    @test_throws Union{ArgumentError,ErrorException} contraction_plan("ij,jk->ik", ((90, 90), (90, 90)); comm = c,
                                                                     memory_limit = 1)
    @test_throws DimensionMismatch plan(A, B[1:2, :, :])
    if ranks > 1
        # One rank asks for something else.
        other = rank == 1 ? "ij,jk->ki" : "ij,jk->ik"
        thrown = try contraction_plan(other, ((2, 2), (2, 2)); comm = c) catch e; e end
        @test thrown isa ErrorException && occursin("rank 1", thrown.msg)
        # One rank has operands of other sizes.
        thrown = try plan(rank == 1 ? B[1:2, :, :] : A, B) catch e; e end
        @test rank == 1 ? thrown isa DimensionMismatch : thrown isa ErrorException && occursin("rank 1", thrown.msg)
        # One rank has operands that the engine never sees: the others hear of it at once, and go on.
        wrong = rank == 1 ? Any[ComplexF64.(A), B] : Any[A, B]
        seconds = @elapsed thrown = try plan(wrong...) catch e; e end
        @test rank == 1 ? thrown isa ArgumentError : thrown isa ErrorException && occursin("rank 1", thrown.msg)
        output = rank == 1 ? zeros(Float32, 32, 8, 8) : zeros(32, 8, 8)
        seconds += @elapsed thrown = try plan(output, A, B) catch e; e end
        @test rank == 1 ? thrown isa ArgumentError : thrown isa ErrorException && occursin("rank 1", thrown.msg)
        @test seconds < 20                  # of a timeout of 60
        @test plan(A, B) == einsum("bij,bjk->bik", A, B)
    end
    @test sprint(show, plan) == "SharedPlan{Float64}(\"bij,bjk->bik\": 32×8×8, 32×8×8; $ranks ranks)"
    @test occursin("Shared by $ranks ranks", sprint(show, MIME("text/plain"), plan))

    # Tensors that are split: a matrix product with all of its tensors along any axis, and sums.
    part(A, axis) = axis === nothing ? A :
        A[ntuple(d -> d == axis ? TensorOxide.local_range(c, size(A, d)) : Colon(), ndims(A))...]
    for T in (Float32, ComplexF64), (a, b, into) in ((1, nothing, 1), (2, 1, 1), (2, 1, 2), (1, 2, nothing), (1, 1, 2))
        A, B = numbers(T, 9, 11), numbers(T, 11, 7)
        plan = contraction_plan("ij,jk->ik", (size(A), size(B)); eltype = T, comm = c, split = (a, b),
                                split_output = into)
        @test plan(part(A, a), part(B, b)) ≈ part(A * B, into)
        K = part(fill(T(1), 9, 7), into)
        @test plan(K, part(A, a), view(part(B, b), :, :); α = 2, β = -1) ≈ part(2A * B .- 1, into)
        @test ranks == 1 || plan.info.sent_bytes <= sizeof(A) + sizeof(B) + 2sizeof(A * B)
    end
    @test TensorOxide.allsum!(c, Float64[rank + 1, 1]) == [ranks * (ranks + 1) / 2, ranks]
    @test_throws ArgumentError contraction_plan("i,j->ij", ((8,), (8,)); comm = c, split = (1, 1), split_output = 1)
    @test_throws ArgumentError contraction_plan("ij,jk->ik", ((8, 8), (8, 8)); comm = c, split = (3, 1))
    @test_throws ArgumentError contraction_plan("ij,jk->ik", ((8, 8), (8, 8)); split = (1, 1))

    # The step of a DMRG: the ground state of two sites under an effective Hamiltonian, whose environments and vectors
    # are split along bonds.
    χ, d, w = 12, 2, 3
    hermitian(A, axes) = A .+ permutedims(A, axes)
    L, R = hermitian(numbers(Float64, χ, w, χ), (3, 2, 1)), hermitian(numbers(Float64, χ, w, χ), (3, 2, 1))
    W₁, W₂ = (hermitian(numbers(Float64, w, d, d, w) .* s, (1, 3, 2, 4)) for s in (1.0, -0.5))
    network, shape = "awA,wstv,vuxy,byB,AtxB->asub", (χ, d, d, χ)
    effective = contraction_plan(network, (size(L), size(W₁), size(W₂), size(R), shape); comm = c,
                                 split = (3, nothing, nothing, 1, 1), split_output = 1)
    apply(x) = effective(part(L, 3), W₁, W₂, part(R, 1), x)
    λ, x, info = TensorOxide.split_eigsolve(apply, part(numbers(Float64, shape...), 1), c; krylovdim = 30)
    H = reshape(einsum("awA,wstv,vuxy,byB->asubAtxB", L, W₁, W₂, R), prod(shape), prod(shape))
    @test λ ≈ eigmin(Symmetric(H)) && info.converged
    @test TensorOxide.allsum!(c, [sum(abs2, x)])[1] ≈ 1
    @test sqrt(TensorOxide.allsum!(c, [sum(abs2, apply(x) .- λ .* x)])[1]) < 1e-8

    # A second communicator beside the first, given back again; what is remembered of it is not used any more then.
    known = IdDict{Any,Any}()
    second = TensorOxide.remembered!(() -> connect(timeout = 20), known, :world)
    @test TensorOxide.remembered!(error, known, :world) === second
    plan = contraction_plan("i,i->", ((100,), (100,)); comm = second, slices = 7)
    @test plan(collect(1:100.0), ones(100)) ≈ 5050
    TensorOxide.free(second)
    @test_throws ErrorException plan(collect(1:100.0), ones(100))
    third = TensorOxide.remembered!(() -> connect(timeout = 20), known, :world)
    @test third !== second && TensorOxide.allsum!(third, [1.0]) == [ranks]
    TensorOxide.free(third)

    if Threads.nthreads() > 1
        # MPI was initialised for its main thread.
        thrown = Ref{Any}(nothing)
        Threads.@threads for k in 1:Threads.nthreads()
            k == Threads.threadid() == 1 || (thrown[] = try connect() catch e; e end)
        end
        @test thrown[] isa ArgumentError && occursin("thread", thrown[].msg)
    end
end
