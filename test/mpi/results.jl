# One of the ranks of `mpiexec -n N julia results.jl FOLDER [everything]`: what contractions over the ranks come to,
# with the MPI library of FOLDER. Rank 0 prints the bits of its results, which have to be those of any other number of
# ranks.

include("library.jl")
using LinearAlgebra, Test

const FOLDER = ARGS[1]
const NAME = basename(FOLDER)
const EVERYTHING = length(ARGS) > 1

const LIBRARY = open_library(FOLDER)
connect(; options...) = TensorOxide.communicator(LIBRARY; handles(LIBRARY, NAME)..., options...)

numbers(T, size...) = T[T((37i % 101) / 101 - 0.5) + (T <: Complex ? T(im * ((53i % 97) / 97)) : 0) for i in
                        reshape(1:prod(size), size)]

@testset "results on $NAME" begin
    @test_throws ArgumentError connect()                # before MPI_Init
    initialise(LIBRARY)
    @test_throws ArgumentError connect(timeout = 0)
    @test_throws ArgumentError connect(timeout = NaN)
    global c = connect(timeout = 60)
    global rank, ranks = c.rank, c.size
    say(text) = rank == 0 && println(text)

    for T in (EVERYTHING ? (Float32, Float64, ComplexF32, ComplexF64) : (ComplexF64,))
        A, B, D, E = numbers(T, 12, 8, 3), numbers(T, 8, 14, 3), numbers(T, 14, 10, 2), numbers(T, 10, 12, 2)
        arrays = (A, PermutedDimsArray(permutedims(B, (3, 1, 2)), (2, 3, 1)), view(D, :, 10:-1:1, :), E)
        plan = contraction_plan("abx,bcx,cdy,day->xy", size.(arrays); eltype = T, comm = c, slices = 64)
        @test plan.info.plan.slices >= 64 && plan.info.leaves >= 32
        expected = einsum("abx,bcx,cdy,day->xy", arrays...)
        C = plan(arrays...)
        @test C ≈ expected
        say("$T $(reinterpret(UInt8, vec(C)))")
        @test plan(arrays...) == C
        K = fill(T(2), 3, 2)
        @test plan(K, arrays...; α = 2, β = -1) === K
        @test K ≈ 2expected .- 2
        into = rank == 0 ? fill(T(NaN), 3, 2) : nothing
        @test plan(into, arrays...; result = :root) === into
        @test rank != 0 || into == C
        @test (plan(arrays...; result = :root) === nothing) == (rank != 0)
    end

    EVERYTHING && include("more.jl")
    TensorOxide.free(c)
    @test call(LIBRARY, :MPI_Finalize) == 0
    @test_throws ArgumentError connect()                # after MPI_Finalize
end
