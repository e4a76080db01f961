# Memory for temporaries: aligned, apart, given back in order, and kept.
using TensorOxide, Test
using TensorOxide: Scratch, borrow!, go_back!, held, mark, task_scratch

address(p) = Int(UInt(p))

"Temporaries do not overlap: each is filled with a number of its own, which it still has when all are there."
function separate(scratch, sizes)
    temporaries = [(borrow!(scratch, n), n) for n in sizes]
    for (k, (p, n)) in enumerate(temporaries), i in 1:n
        unsafe_store!(p, k % UInt8, i)
    end
    return all(unsafe_load(p, i) == k % UInt8 for (k, (p, n)) in enumerate(temporaries) for i in 1:n)
end

@testset "temporaries" begin
    scratch = Scratch()
    start = mark(scratch)
    GC.@preserve scratch begin
        @test separate(scratch, [1, 0, 63, 64, 65, 20_000, 3, 200_000, 1000])
        @test length(scratch.blocks) > 1
        @test all(n -> address(borrow!(scratch, n)) % 64 == 0, 0:70)
    end
    kept = held(scratch)
    @test go_back!(scratch, start) === scratch
    @test held(scratch) == kept && length(scratch.blocks) == 1
    # The same work again needs no more memory.
    @test separate(scratch, [1, 0, 63, 64, 65, 20_000, 3, 200_000, 1000])
    @test held(scratch) == kept && length(scratch.blocks) == 1
    go_back!(scratch, start)
    one_temporary(scratch) = (here = mark(scratch); borrow!(scratch, 1000); go_back!(scratch, here); nothing)
    one_temporary(scratch)
    @test (@allocated one_temporary(scratch)) == 0
end

@testset "marks" begin
    scratch = Scratch()
    outer = mark(scratch)
    borrow!(scratch, 10)
    inner = mark(scratch)
    p = borrow!(scratch, 10)
    borrow!(scratch, 100_000)                   # into a second block
    go_back!(scratch, inner)
    @test borrow!(scratch, 10) == p
    go_back!(scratch, outer)
    @test_throws ArgumentError go_back!(scratch, inner)
    # A block behind the one in use is empty: a larger temporary takes its place.
    borrow!(scratch, held(scratch) - 200)
    inner = mark(scratch)
    borrow!(scratch, 1000)
    go_back!(scratch, inner)
    borrow!(scratch, 10_000_000)
    @test length(scratch.blocks) == 2 && separate(scratch, [10, 10])
    @test held(empty!(scratch)) == 0 && mark(scratch) == outer
    @test_throws OverflowError borrow!(scratch, typemax(Int))
end

@testset "tasks have their own" begin
    mine = task_scratch()
    @test task_scratch() === mine
    @test fetch(@async task_scratch()) !== mine
    borrow!(mine, 1)
    @test empty!(TensorOxideAllocator()) === TensorOxideAllocator()
    @test held(mine) == 0
end

@testset "without TensorOperations" begin
    @test_throws ArgumentError TensorOxideBackend()
    @test_throws ArgumentError TensorOxideBackend(1)
end
