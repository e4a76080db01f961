# What a fresh Julia waits for: `using TensorOxide` and the first `einsum`, beside a plain `A * B`. Each number is the
# median over processes, after one that fills the disk's and Julia's caches.

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

"Medians of what `code` prints in fresh processes, and of their wall time."
function fresh(code)
    command = `$(Base.julia_cmd()) --project=$(Base.active_project()) --startup-file=no -e $code`
    read(command, String)
    rows = map(1:PROCESSES) do _
        wall = @elapsed text = read(command, String)
        [parse.(Float64, split(text)); wall]
    end
    return [median([row[k] for row in rows]) for k in 1:4]
end

function firstuse()
    heading("In a fresh Julia $VERSION, median of $PROCESSES processes",
            ["load", "first call", "second call", "process"])
    row("using TensorOxide; einsum", pretty.(fresh(PACKAGE)))
    row("using LinearAlgebra; A * B", pretty.(fresh(PLAIN)))
end
