# The extensions, with the packages that they extend: every file of this folder whose packages can be loaded, or those
# named on the command line (without `.jl`). Run it in an environment that has them, `julia --project=ENV
# test/ext/runtests.jl`; what cannot be loaded is said and left out.
using TensorOxide, Test

const EXTENSIONS = [
    "chainrules" => [:ChainRulesCore, :ChainRulesTestUtils],
    "zygote" => [:ChainRulesCore, :Zygote],
    "itensors" => [:Adapt, :ITensors, :ITensorMPS, :NDTensors],
    "hdf5" => [:HDF5],
    "itensors_hdf5" => [:HDF5, :ITensors, :ITensorMPS],
    "krylovkit" => [:KrylovKit],
    "matrixalgebrakit" => [:MatrixAlgebraKit],
    "matrixalgebrakit_suite" => [:MatrixAlgebraKit, :TestExtras, :StableRNGs, :GenericLinearAlgebra, :GenericSchur,
                                 :ChainRulesTestUtils, :Zygote],
    "mpskit" => [:MatrixAlgebraKit, :TensorKit, :MPSKit],
    "omeinsum" => [:OMEinsum],
    "tensorkit" => [:MatrixAlgebraKit, :TensorKit, :Zygote],
    "tensoroperations" => [:TensorOperations],
    "tensoroperations_zygote" => [:TensorOperations, :ChainRulesCore, :Zygote],
    "mpi" => [:MPI],
]

"Why the packages cannot be loaded, or `nothing`."
function missing_package(packages)
    for package in packages
        try
            @eval import $package
        catch e
            return "$package: $(first(split(sprint(showerror, e), '\n')))"
        end
    end
    return nothing
end

@testset "extensions" begin
    for (file, packages) in EXTENSIONS
        isempty(ARGS) || file in ARGS || continue
        reason = VERSION < v"1.9" ? "extensions want Julia 1.9" : missing_package(packages)
        if reason === nothing
            @testset "$file" begin
                include("$file.jl")
            end
        else
            println("left out: test/ext/$file.jl ($reason)")
        end
    end
end
