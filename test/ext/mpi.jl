# An `MPI.Comm` as the communicator of a contraction, on however many ranks this runs: `mpiexec -n 2 julia …
# test/ext/runtests.jl mpi`.
using MPI, Test, TensorOxide

@testset "MPI.jl" begin
    @test_throws ArgumentError TensorOxide.communicator(MPI.COMM_WORLD)      # before MPI.Init
    MPI.Init()
    c = TensorOxide.communicator(MPI.COMM_WORLD)
    @test c === TensorOxide.communicator(MPI.COMM_WORLD)
    @test (c.rank, c.size) == (MPI.Comm_rank(MPI.COMM_WORLD), MPI.Comm_size(MPI.COMM_WORLD))
    A, B = [sin(i + j) for i in 1:40, j in 1:30], [cos(i * j) for i in 1:30, j in 1:20]
    plan = contraction_plan("ij,jk->ik", (size(A), size(B)); comm = MPI.COMM_WORLD, slices = 8)
    @test plan(A, B) ≈ A * B
    root = plan(A, B; result = :root)
    @test c.rank == 0 ? root ≈ A * B : root === nothing
    plan = contraction_plan("ij,jk->ik", (size(A), size(B)); comm = MPI.COMM_WORLD, split = (2, 1), split_output = 1)
    j, i = TensorOxide.local_range(MPI.COMM_WORLD, 30), TensorOxide.local_range(MPI.COMM_WORLD, 40)
    @test plan(A[:, j], B[j, :]) ≈ (A * B)[i, :]
    TensorOxide.free(c)
    MPI.Finalize()
end
