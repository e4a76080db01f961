# The tensor network of one amplitude of a random circuit on the 53 qubits of Sycamore (Arute et al., Nature 574, 505
# (2019), whose circuits are public): two-qubit gates in the order of the couplers ABCDCDAB, cycle after cycle. What a
# path costs depends only on which qubits meet when; the gates on one qubit, the initial state and the final one are
# taken into the tensors beside them.

const SYCAMORE_QUBITS = 53
"Which pairs of qubits each pattern of couplers has: the cycles 1 to 4 of the circuits `circuit_n53_m*_s0_e0_pABCDCDAB`."
const SYCAMORE_COUPLERS = Dict(
    'A' => [(1, 4), (3, 7), (5, 9), (6, 13), (8, 15), (10, 17), (12, 21), (14, 23), (16, 25), (18, 27), (20, 30), (22, 32),
            (24, 34), (26, 36), (29, 37), (31, 39), (33, 41), (35, 43), (38, 44), (40, 46), (42, 48), (45, 49), (47, 51),
            (50, 52)],
    'B' => [(0, 3), (2, 6), (4, 8), (7, 14), (9, 16), (11, 20), (13, 22), (15, 24), (17, 26), (19, 29), (21, 31), (23, 33),
            (25, 35), (30, 38), (32, 40), (34, 42), (39, 45), (41, 47), (46, 50)],
    'C' => [(0, 1), (2, 3), (4, 5), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16), (17, 18), (19, 20), (21, 22), (23, 24),
            (25, 26), (28, 29), (30, 31), (32, 33), (34, 35), (37, 38), (39, 40), (41, 42), (44, 45), (46, 47), (49, 50)],
    'D' => [(3, 4), (6, 7), (8, 9), (12, 13), (14, 15), (16, 17), (20, 21), (22, 23), (24, 25), (26, 27), (29, 30), (31, 32),
            (33, 34), (35, 36), (38, 39), (40, 41), (42, 43), (45, 46), (47, 48), (50, 51)])

"The expression and the sizes of the tensors of an amplitude after so many cycles."
function sycamore(cycles)
    gates = [pair for cycle in 0:cycles-1 for pair in SYCAMORE_COUPLERS["ABCDCDAB"[cycle % 8 + 1]]]
    last = Dict(qubit => k for (k, pair) in enumerate(gates) for qubit in pair)
    wires, next = Dict{Int,Int}(), 0
    tensors = map(enumerate(gates)) do (k, pair)
        labels = Int[wires[qubit] for qubit in pair if haskey(wires, qubit)]
        for qubit in pair
            last[qubit] == k && continue
            wires[qubit] = next += 1
            push!(labels, next)
        end
        return labels
    end
    return join((join("{$label}" for label in tensor) for tensor in tensors), ",") * "->",
           [ntuple(_ -> 2, length(tensor)) for tensor in tensors]
end
