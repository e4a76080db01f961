# The Heisenberg chain of ITensors' sites.
using ITensorMPS: MPO, OpSum

"""
Σⱼ Sⱼ·Sⱼ₊₁, and with a `field` Dzyaloshinskii and Moriya's term, field·ẑ·(Sⱼ × Sⱼ₊₁): complex coefficients, Hermitian
together.
"""
function chain(sites; field = 0.0)
    terms = OpSum()
    for j in 1:length(sites)-1
        terms += 0.5, "S+", j, "S-", j + 1
        terms += 0.5, "S-", j, "S+", j + 1
        terms += "Sz", j, "Sz", j + 1
        field == 0 && continue
        terms += 0.5im * field, "S+", j, "S-", j + 1
        terms += -0.5im * field, "S-", j, "S+", j + 1
    end
    return MPO(terms, sites)
end
