# The instances along paths of our own, and what those cost beside the given ones.

function paths(peers, threads)
    heading("Instances along our own paths, ms, threads = $threads; peers along the best path given",
            ["best/run", "best/search+run", "search", "run", "own log10 fl.", "given", "own log2 size", "given"])
    without, with = Pair{String,Float64}[], Pair{String,Float64}[]
    for instance in read_instances()
        expression, shapes = first(instance.layouts)
        operands = operands_for(MersenneTwister(1), Float64, expression, shapes)
        search = median([@elapsed(contraction_plan(expression, shapes)) for _ in 1:3])
        plan = contraction_plan(expression, shapes)
        _, path = instance.paths[argmin([flops for (_, _, flops, _) in instance.paths])]
        (run,), theirs = compare_contraction(peers, plan, expression, operands, path)
        # Both counted here: the files do not agree on whether a product and a sum are one operation or two.
        flops, size = path_cost(expression, shapes, TensorOxide.contraction_path(plan))
        given_flops, given_size = path_cost(expression, shapes, path)
        row(instance.name, [best(theirs) / run, best(theirs) / (search + run), milliseconds([search, run])...,
                            log10(flops), log10(given_flops), log2(size), log2(given_size)])
        push!(without, instance.name => best(theirs) / run)
        push!(with, instance.name => best(theirs) / (search + run))
    end
    println("search excluded:")
    verdict(without; least = 1.0, mean = 1.5)
    println("search included:")
    verdict(with)
end

"The number of products of elements along a path in opt_einsum's form, and the elements of the largest tensor."
function path_cost(expression, shapes, path)
    inputs, output = split(expression, "->")
    tensors = Set.(split(inputs, ','))
    extents = Dict(label => n for (term, shape) in zip(split(inputs, ','), shapes) for (label, n) in zip(term, shape))
    elements(labels) = reduce(*, (float(extents[label]) for label in labels); init = 1.0)
    flops, largest = 0.0, maximum(elements, tensors)
    for step in path
        positions = sort(collect(step) .+ 1)
        joined = union(tensors[positions]...)
        deleteat!(tensors, positions)
        flops += elements(joined)
        result = intersect(joined, union(Set(output), tensors...))
        largest = max(largest, elements(result))
        push!(tensors, result)
    end
    return flops, largest
end
