# Where the time of the main job goes: a DMRG run, after a short one that compiles everything.
#
#     julia --project benchmark/dmrg.jl [the options of examples/dmrg.jl]
#
# Prints for each sweep the seconds in contractions, SVDs, Lanczos and the rest, the products with H, and what Julia
# allocated. By default the run is the spin-½ Heisenberg chain of 100 sites with the schedule of ITensor's example.

include(joinpath(@__DIR__, "..", "examples", "dmrg.jl"))

function measure(arguments)
    settings = read_settings(arguments)
    model, N, T = settings.model, settings.N, settings.eltype
    if settings.threads !== nothing
        TensorOxide.set_num_threads(settings.threads)
        BLAS.set_num_threads(settings.threads)
    end
    solve(N, maxdims) = dmrg(model.build(T, N), random_mps(MersenneTwister(settings.seed), T, N, model.physical);
                             maxdims = maxdims, cutoff = settings.cutoff, krylovdim = settings.krylovdim)
    solve(6, [10, 10])
    GC.gc()
    energy, _, records = solve(N, settings.maxdims)

    println(model.title, ", ", T, ", ", TensorOxide.num_threads(), " threads")
    println("sweep  limit  bond   seconds  contraction       SVD   Lanczos      rest  products  allocated MiB")
    show_row(name, maxdim, bond, seconds, contraction, svd, lanczos, rest, products, bytes) =
        @printf("%5s  %5s  %4s  %8.3f  %11.3f  %8.3f  %8.3f  %8.3f  %8d  %13.1f\n", name, maxdim, bond, seconds,
                contraction, svd, lanczos, rest, products, bytes / 2^20)
    for r in records
        show_row(r.sweep, r.maxdim, r.bond, r.seconds, r.clock.contraction, r.clock.svd, r.clock.lanczos, rest(r),
                 r.products, r.bytes)
    end
    total(f) = sum(f, records)
    show_row("all", "", "", total(r -> r.seconds), total(r -> r.clock.contraction), total(r -> r.clock.svd),
             total(r -> r.clock.lanczos), total(rest), total(r -> r.products), total(r -> r.bytes))
    @printf("energy %.12f", energy)
    model.reference === nothing || @printf(", %+.1e from the reference", energy - model.reference)
    println()
end

measure(ARGS)
