# The instances along their given paths: ours against the best peer.

function instances(peers, threads)
    heading("Instances along their given paths, ms per run, threads = $threads",
            ["best peer/us", "us", (peer.name for peer in peers)...])
    ratios = Pair{String,Float64}[]
    for instance in read_instances(), (name, path, _, _) in instance.paths
        times = map(instance.layouts) do (expression, shapes)
            operands = operands_for(MersenneTwister(1), Float64, expression, shapes)
            plan = contraction_plan(expression, shapes; path = path_argument(path))
            (ours,), theirs = compare_contraction(peers, plan, expression, operands, path)
            ours, theirs
        end
        # A peer may take the layout that suits it.
        theirs = [best([times[k][2][p] for k in eachindex(times)]) for p in eachindex(peers)]
        for (k, (ours, _)) in enumerate(times)
            label = string(instance.name, k == 1 ? "" : " (row-major)", ' ', name)
            row(label, [best(theirs) / ours; milliseconds([ours; theirs])])
            push!(ratios, label => best(theirs) / ours)
        end
    end
    verdict(ratios; least = 1.0, mean = 1.5)
end

path_argument(path) = [(step...,) for step in path]
