# What a fresh Julia waits for: `using` a package and the first contraction, beside a plain `A * B`, and beside other
# packages for tensors of 2 to 8 indices. Each number is the median over processes, after one that fills the disk's and
# Julia's caches. Packages that the environment lacks are said and left out.

const PROCESSES = 5
const PACKAGE = """
    A, B = [1.0 2.0; 3.0 4.0], [0.0 1.0; 1.0 0.0]
    t = [@elapsed(using TensorOxide), @elapsed(einsum("ij,jk->ik", A, B)), @elapsed(einsum("ij,jk->ik", A, B))]
    print(join(t, ' '))
    """
const PLAIN = """
    A, B = [1.0 2.0; 3.0 4.0], [0.0 1.0; 1.0 0.0]
    t = [@elapsed(using LinearAlgebra), @elapsed(A * B), @elapsed(A * B)]
    print(join(t, ' '))
    """

const ORDERS = 2:8
# Two tensors of order n, contracted over half of their indices: as positive numbers the labels of both and of the result.
half(n) = (Tuple(1:n), (Tuple(n-n÷2+1:n)..., Tuple(n+1:2n-n÷2)...), (Tuple(1:n-n÷2)..., Tuple(n+1:2n-n÷2)...))
tensors(n) = "A$n, B$n = ones($(join(fill(2, n), ", "))), ones($(join(fill(2, n), ", ")))"

"What each package is asked: the packages to load, the preparation of order `n`, and the contraction to be timed."
const FRONTENDS = [
    "einsum" => ("TensorOxide", tensors, n -> "einsum($((half(n)[1], half(n)[2]) => half(n)[3]), A$n, B$n)"),
    "@tensor" => ("TensorOperations", tensors, n -> "@tensor $(equation(n))"),
    "@tensor, our backend" => ("TensorOperations, TensorOxide", tensors,
                               n -> "@tensor backend = TensorOxideBackend() $(equation(n))"),
    "ITensors" => ("ITensors", n -> itensors(n, ""), n -> "A$n * B$n"),
    "ITensors, our storage" => ("ITensors, TensorOxide", n -> itensors(n, "TensorOxide.oxide"), n -> "A$n * B$n"),
]
function equation(n)
    a, b, c = half(n)
    return "C[$(join(c, ','))] := A$n[$(join(a, ','))] * B$n[$(join(b, ','))]"
end
function itensors(n, storage)
    a, b, _ = half(n)
    random(labels) = "$storage(random_itensor(i[$([labels...])]))"
    return "i = [Index(2) for _ in 1:$(2n)]; A$n, B$n = $(random(a)), $(random(b))"
end

"Seconds to load the packages, then of the first contraction of each order, one after the other in one process."
function frontend_code((packages, prepare, contract))
    lines = ["t = [@elapsed(begin using $packages end)]"]
    for n in ORDERS
        push!(lines, prepare(n), "push!(t, @elapsed($(contract(n))))")
    end
    return join([lines; "print(join(t, ' '))"], '\n')
end

"Medians of what `code` prints in fresh processes, and of their wall time; `nothing` where it does not run."
function fresh(code)
    command = `$(Base.julia_cmd()) --project=$(Base.active_project()) --startup-file=no -e $code`
    success(command) || return nothing
    rows = map(1:PROCESSES) do _
        wall = @elapsed text = read(command, String)
        [parse.(Float64, split(text)); wall]
    end
    return [median([row[k] for row in rows]) for k in 1:length(first(rows))]
end

function firstuse()
    heading("In a fresh Julia $VERSION, median of $PROCESSES processes",
            ["load", "first call", "second call", "process"])
    row("using TensorOxide; einsum", pretty.(fresh(PACKAGE)))
    row("using LinearAlgebra; A * B", pretty.(fresh(PLAIN)))
    heading("First contraction of two tensors of each order, in turn", ["load"; string.("order ", ORDERS); "process"])
    for (name, frontend) in FRONTENDS
        times = fresh(frontend_code(frontend))
        times === nothing ? println("left out: ", name, ", ", first(frontend), " does not load here") :
                            row(name, pretty.(times))
    end
end
