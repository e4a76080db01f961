# Tables as plain text, a row as soon as it is measured.

const LABEL_WIDTH = 57
const CELL_WIDTH = 12

function heading(title, columns)
    println('\n', title)
    row("", columns)
end

function row(label, cells)
    println(rpad(label, LABEL_WIDTH), join(' ' .* lpad.(cell.(cells), CELL_WIDTH)))
    flush(stdout)
end

cell(text::AbstractString) = text
cell(count::Integer) = string(count)
cell(number::Real) = isfinite(number) ? three_digits(number) : "-"

milliseconds(seconds) = 1e3 .* seconds
microseconds(seconds) = 1e6 .* seconds

"The least of some times, of which those that are missing are NaN; NaN if all are."
best(times) = (there = filter(!isnan, times); isempty(there) ? NaN : minimum(there))

"Say whether the ratios `theirs/ours`, each with its label, keep the targets for their least and their geometric mean."
function verdict(ratios; least = nothing, mean = nothing)
    there = filter(pair -> !isnan(last(pair)), ratios)
    isempty(there) && return println("no peer to compare with")
    (name, ratio) = there[argmin(last.(there))]
    say(what, value, target) =
        println(what, ' ', three_digits(value), target === nothing ? "" :
                value >= target ? " (target $target: kept)" : " (target $target: missed)")
    say("least ratio", ratio, least)
    println("    at ", name)
    say("geometric mean", geometric_mean(last.(there)), mean)
end
