# Contraction paths: given ones are taken, every form comes back, and what does not fit is refused.
using TensorOxide, Test, Random
const TO = TensorOxide

const CHAIN, CHAIN_SHAPES = "ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 5), (5, 6)]
const FORMS = (:opt_einsum, :ssa, :tree, :omeinsum, :stored)

@testset "a given path is taken" begin
    As = [randn(MersenneTwister(k), n...) for (k, n) in enumerate(CHAIN_SHAPES)]
    expected = foldl(*, As)
    for steps in ([(1, 2), (1, 2), (0, 1)], [[1, 2], [2, 1], [0, 1]], ["einsum_path", (1, 2), (1, 2), (0, 1)])
        plan = contraction_plan(CHAIN, CHAIN_SHAPES; path = steps)
        @test TO.contraction_path(plan, :ssa) in ([(1, 2), (3, 4), (0, 5)], [(1, 2), (0, 4), (3, 5)])
        @test plan(As...) ≈ expected rtol = 1e-14
    end
    plan = contraction_plan(CHAIN, CHAIN_SHAPES; path = [(0, 1, 2, 3)])
    @test plan(As...) ≈ expected rtol = 1e-14
    @test plan.info.flops == contraction_plan(CHAIN, CHAIN_SHAPES).info.flops
end

@testset "forms" begin
    plan = contraction_plan(CHAIN, CHAIN_SHAPES; path = [(1, 2), (1, 2), (0, 1)])
    @test TO.contraction_path(plan) == TO.contraction_path(plan, :opt_einsum) == [(1, 2), (1, 2), (0, 1)]
    @test TO.contraction_path(plan, :ssa) == [(1, 2), (3, 4), (0, 5)]
    @test TO.contraction_path(plan, :tree) == [1, [4, [2, 3]]]
    for form in FORMS
        again = contraction_plan(CHAIN, CHAIN_SHAPES; path = form => TO.contraction_path(plan, form))
        @test TO.contraction_path(again) == TO.contraction_path(plan)
    end
    alone = contraction_plan("ab->ba", [(2, 3)])
    @test TO.contraction_path(alone) == TO.contraction_path(alone, :ssa) == []
    @test TO.contraction_path(alone, :tree) == [1]
    for form in FORMS
        path = TO.contraction_path(alone, form)
        @test contraction_plan("ab->ba", [(2, 3)]; path = form => path)(ones(2, 3)) == ones(3, 2)
    end
end

@testset "files" begin
    plan = contraction_plan(CHAIN, CHAIN_SHAPES; path = [(2, 3), (0, 1), (0, 1)])
    mktempdir() do folder
        file = joinpath(folder, "path.json")
        TO.save_path(file, plan)
        kept = TO.load_path(file)
        @test occursin("StoredPath", repr(kept))
        @test TO.contraction_path(contraction_plan(CHAIN, CHAIN_SHAPES; path = kept)) == [(2, 3), (0, 1), (0, 1)]
        @test TO.contraction_path(contraction_plan("ij,jk,kl,lm->im", CHAIN_SHAPES; path = kept)) == [(2, 3), (0, 1), (0, 1)]
        @test_throws ArgumentError contraction_plan(CHAIN, [(2, 3), (3, 4), (4, 5), (5, 7)]; path = kept)
        @test_throws ArgumentError contraction_plan("ab,bc,cd,de->ea", CHAIN_SHAPES; path = kept)
        write(file, TO.contraction_path(plan, :omeinsum))
        @test TO.contraction_path(contraction_plan(CHAIN, CHAIN_SHAPES; path = TO.load_path(file))) == [(2, 3), (0, 1), (0, 1)]
        write(file, "no path")
        @test_throws ArgumentError contraction_plan(CHAIN, CHAIN_SHAPES; path = TO.load_path(file))
        write(file, "[0\0]")
        @test_throws ArgumentError TO.load_path(file)
    end
end

refusal(path) = try
    contraction_plan(CHAIN, CHAIN_SHAPES; path = path)
    ""
catch e
    e isa ArgumentError || rethrow()
    e.msg
end
@testset "what does not fit is refused" begin
    @test refusal([(0, 4)]) == "step 1 names position 4 (from 0), but only 4 tensors are left"
    @test refusal([(0, 1)]) == "the path of 1 steps leaves 3 tensors of 4, where one should be left"
    @test occursin("operand 5", refusal(:tree => [1, 2, 3, 5]))
    @test occursin("lists and integers", refusal([(0, 1.5)]))
    @test occursin("lists and integers", refusal([(0, "1")]))
    @test occursin(":opt_einsum, :ssa", refusal(:ssd => [(0, 1)]))
    @test occursin("a text, not", refusal(:omeinsum => [(0, 1)]))
    @test occursin("Float64", refusal(1.0))
    @test occursin("NUL", refusal(:stored => "\0"))
    @test_throws ArgumentError TO.contraction_path(contraction_plan(CHAIN, CHAIN_SHAPES), :other)
    grouped = try contraction_plan("(ab,bc),cd,de->ae", CHAIN_SHAPES; path = [(1, 2), (0, 1), (0, 1)]) catch e e.msg end
    @test occursin("operands 1 to 2 stand in parentheses", grouped)
end

@testset "a path of many tensors" begin
    n = 500
    labels = [Char(0x4e00 + k) for k in 0:n]
    expression = join((string(labels[k], labels[k+1]) for k in 1:n), ",") * "->" * labels[1] * labels[n+1]
    shapes = fill((2, 2), n)
    plan = contraction_plan(expression, shapes; path = [(0, n - k) for k in 1:n-1])
    for form in FORMS
        again = contraction_plan(expression, shapes; path = form => TO.contraction_path(plan, form))
        @test TO.contraction_path(again) == [(0, n - k) for k in 1:n-1]
    end
end

@testset "searched paths" begin
    # A ring with chords: more tensors than are searched exhaustively.
    n = 24
    label(k) = Char(0x4e00 + k)
    terms = [string(label(k), label(k % n + 1), label(100 + min(k, k <= n ÷ 2 ? k : k - n ÷ 2))) for k in 1:n]
    shapes = [(4, 4, 3) for _ in 1:n]
    plan_of(; keywords...) = contraction_plan(join(terms, ",") * "->", shapes; keywords...)
    path(; keywords...) = TO.contraction_path(plan_of(; keywords...))
    @test path() == path() == path(minimize = :time) == path(seed = 0)
    @test path(search_time = 0.001, seed = 7) == path(search_time = 0.001, seed = 7)
    @test plan_of(minimize = :flops, search_time = 0.01).info.flops <= plan_of(search_time = 0).info.flops
    @test plan_of(minimize = :size, search_time = 0.01).info.log2_size <= plan_of(search_time = 0).info.log2_size
    info = plan_of().info
    @test info.log10_flops == log10(info.flops)
    @test 2^info.log2_size * 8 <= info.peak_bytes
    product = contraction_plan("ij,jk->ik", [(2, 3), (3, 4)]).info
    @test (product.flops, product.log2_size) == (48.0, 3.0)
    As = [randn(MersenneTwister(k), 4, 4, 3) for k in 1:n]
    @test plan_of(minimize = :flops)(As...) ≈ plan_of(minimize = :size)(As...) rtol = 1e-10
    @test_throws ArgumentError plan_of(minimize = :memory)
    @test_throws ArgumentError plan_of(search_time = -1)
    @test_throws ArgumentError plan_of(search_time = NaN)
end

@testset "trees of other packages" begin
    labels = TO.numbered([[:i, :j], ('j', 'k'), "kl"], (:i, "l"))
    @test labels == ([[1, 2], [3, 4], [4, 5]] => [1, 6])        # 'j' is not :j, and "l" is not 'l'
    labels = TO.numbered(["ij", "jk", "kl"], "li")
    @test labels == ([[1, 2], [2, 3], [3, 4]] => [4, 1])
    @test TO.parenthesised(labels, [1, [2, 3]]) == ("{1}{2},({2}{3},{3}{4})->{4}{1}", [1, 2, 3])
    @test TO.parenthesised(labels, [[3, 1], 2]) == ("({3}{4},{1}{2}),{2}{3}->{4}{1}", [3, 1, 2])
    @test TO.parenthesised(labels, [[2, [3]], 1]) == ("({2}{3},({3}{4})),{1}{2}->{4}{1}", [2, 3, 1])
    @test TO.parenthesised([[1]] => Int[], 1) == TO.parenthesised([[1]] => Int[], [1]) == ("{1}->", [1])
    # A tree as deep as a network is long.
    deep = foldl((tree, k) -> Any[tree, k], 2:20_000; init = 1)
    text, order = TO.parenthesised([[k, k + 1] for k in 1:20_000] => [1, 20_001], deep)
    @test order == 1:20_000 && count(==('('), text) == count(==(')'), text) == 19_998
end
