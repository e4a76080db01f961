# Builds the documentation site: `julia --project=docs docs/make.jl`, after `] dev .` in that project.
using Documenter, TensorOxide

DocMeta.setdocmeta!(TensorOxide, :DocTestSetup, :(using TensorOxide); recursive = true)

makedocs(
    sitename = "TensorOxide.jl",
    modules = [TensorOxide],
    format = Documenter.HTML(prettyurls = get(ENV, "CI", "") == "true"),
    pages = [
        "Home" => "index.md",
        "Other algebras" => "semirings.md",
        "With other packages" => [
            "frontends/itensors.md",
            "frontends/krylovkit.md",
            "frontends/matrixalgebrakit.md",
            "frontends/omeinsum.md",
            "frontends/tensorkit.md",
            "frontends/tensoroperations.md",
        ],
        "Files" => "files.md",
        "Many machines" => "scaling.md",
        "Reference" => "reference.md",
        "The written standard" => ["standard/einsum.md", "standard/linalg.md", "standard/krylov.md",
                                 "standard/derivatives.md", "standard/storage.md", "standard/distributed.md"],
    ],
    # test/doctests.jl runs the examples, on every version of Julia.
    doctest = false,
    checkdocs = :exports,
)

deploydocs(repo = "github.com/TensorOxide/TensorOxide.jl.git")
