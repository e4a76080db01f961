# Stopping and going on: the state and the record of a run, kept in an HDF5 file after each sweep. A save is all or
# nothing, so that a run may be killed at any moment and loses one sweep at most.

# A record as a row of numbers, and back.
const RECORD_COLUMNS = ("sweep", "maxdim", "energy", "bond_dimension", "truncation_error", "seconds",
                        "contraction_seconds", "svd_seconds", "lanczos_seconds", "products_with_h", "allocated_bytes")
row(r) = [r.sweep, r.maxdim, r.energy, r.bond, r.truncation, r.seconds, r.clock.contraction, r.clock.svd,
          r.clock.lanczos, r.products, r.bytes]
unrow(x) = SweepRecord(x[1], x[2], x[3], x[4], x[5], x[6], Clock(x[7], x[8], x[9]), x[10], x[11])

"What has to be the same for a run to go on from a file."
identity_of(settings) = Dict("model" => settings.model.title, "eltype" => findfirst(==(settings.eltype), ELEMENT_TYPES),
                             "cutoff" => settings.cutoff, "krylov" => settings.krylovdim, "seed" => settings.seed)

save_checkpoint(path, settings, ψ, records) =
    TensorOxide.save(path, "psi" => ψ, "records" => reduce(hcat, row.(records)), "columns" => join(RECORD_COLUMNS, ','),
                     "run" => identity_of(settings))

"""
    load_checkpoint(path, settings) -> ψ, records

What an earlier run with these settings had reached, or `nothing`, when there is no file. The file of another run is an
`ArgumentError`. A run may go on with another schedule of bond dimensions.
"""
function load_checkpoint(path, settings)
    isfile(path) || return nothing
    ψ, records, run = TensorOxide.load(path, "psi", "records", "run")
    for (key, value) in identity_of(settings)
        get(run, key, nothing) == value || throw(ArgumentError(
            "$path is the file of another run: its $key is $(get(run, key, "not there")), not $value"))
    end
    T = settings.eltype
    Array{T,3}[A for A in ψ], [unrow(records[:, k]) for k in 1:size(records, 2)]
end
