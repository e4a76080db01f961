# The peers: other libraries in processes of their own, which load what is asked, time it when asked, and wait
# otherwise, so that ours and theirs can be timed in turns within one run.
#
# A peer (benchmark/peers/) reads a request per line, fields parted by tabs, and answers it by a line, `ok` or `error`
# and a field. Arrays go through files, raw and one after another; a peer with row-major arrays is told of reversed
# axes, so that all compute on the same memory.
#
#     about                                                   what the peer is
#     contract ID ELTYPE EXPRESSION SHAPES PATH FILE          SHAPES as 2x3;3x4, PATH as 0,1;0,1 in opt_einsum's form
#     permute ID ELTYPE SHAPE PERMUTATION warm|fresh FILE     into an array that is kept, or a new one each time
#     linalg ID OPERATION ELTYPE SHAPES FILE                  svd, qr, eigh, eig or solve of column-major arrays
#     gradient ID OPERATION ELTYPE SHAPES FILE                svd, qr, eigh, solve or mps: value and gradient of a loss
#     time ID SECONDS                                         seconds per call, over as many calls as take SECONDS
#     write ID FILE                                           compute, and write the result
#     forget ID                                               free what was loaded

struct Peer
    name::String
    about::String
    process::Base.Process
end

const ROW_MAJOR = ("numpy", "torch")
row_major(peer::Peer) = peer.name in ROW_MAJOR

"One peer refuses one thing: it is left out there."
struct Refused <: Exception
    text::String
end

"""
Start the peers that this machine has, each on `threads` threads, and return them with a line for each that is left out.
`BENCHMARK_PEERS`, names parted by commas, keeps it to those.
"""
function start_peers(threads)
    setup, folder = joinpath(@__DIR__, "peers", "setup.sh"), joinpath(@__DIR__, ".peers")
    wanted = filter(!isempty, split(get(ENV, "BENCHMARK_PEERS", ""), ','))
    peers, skipped = Peer[], String[]
    for line in eachline(`sh $setup $folder`)
        name, program, reason = [split(line, '\t'); ""]
        isempty(wanted) || name in wanted || continue
        if isempty(program)
            push!(skipped, "$name: $reason")
            continue
        end
        push!(peers, start_peer(name, split(program), threads))
    end
    return peers, skipped
end

"The BLAS of this Julia alone, with the kernels that `peers_coretype` says: it answers products of two matrices."
function start_blas(threads)
    program = joinpath(@__DIR__, "peers", "julia.jl")
    return start_peer("BLAS", [Base.julia_cmd().exec; "--startup-file=no"; program; "BLAS"], threads)
end

function start_peer(name, program, threads)
    settings = ["$(library)_NUM_THREADS" => threads for library in ("OPENBLAS", "OMP", "MKL")]
    process = withenv(() -> open(`$program $threads`, "r+"), settings..., "OPENBLAS_CORETYPE" => peers_coretype())
    return Peer(name, ask(process, name, ("about",)), process)
end

stop(peer::Peer) = (close(peer.process.in); wait(peer.process))

ask(peer::Peer, request...) = ask(peer.process, peer.name, request)
function ask(process, name, request)
    println(process, join(request, '\t'))
    answer = split(readline(process), '\t')
    length(answer) == 2 || error("the peer $name has ended while it was asked to $(first(request))")
    answer[1] == "ok" || throw(Refused("$name: $(answer[2])"))
    return String(answer[2])
end

const ELTYPES = Dict(Float32 => "f32", Float64 => "f64", ComplexF32 => "c32", ComplexF64 => "c64")

"Have `peer` load the contraction of column-major arrays that lie in `file`; the path in opt_einsum's form."
function load_contraction(peer, id, T, expression, shapes, path, file)
    if row_major(peer)
        expression, shapes = mirrored(expression), reverse.(shapes)
    end
    ask(peer, "contract", id, ELTYPES[T], expression, join(join.(shapes, 'x'), ';'), join(join.(path, ','), ';'), file)
end

"Have `peer` load the permutation of a column-major array; its axis `permutation[k]` becomes the result's k-th."
function load_permutation(peer, id, T, shape, permutation, output, file)
    N = length(shape)
    if row_major(peer)
        shape, permutation = reverse(shape), reverse((N + 1) .- collect(permutation))
    end
    ask(peer, "permute", id, ELTYPES[T], join(shape, 'x'), join(permutation .- 1, ','), output, file)
end

"The expression for the same memory read in the other order: every operand's labels reversed."
function mirrored(expression)
    inputs, output = split(expression, "->")
    return join(reverse.(split(inputs, ',')), ',') * "->" * reverse(output)
end

seconds(peer::Peer, id, least) = parse(Float64, ask(peer, "time", id, least))

"What the peer computes, as an array like `C`."
function result!(C, peer::Peer, id, file)
    ask(peer, "write", id, file)
    return read!(file, C)
end
