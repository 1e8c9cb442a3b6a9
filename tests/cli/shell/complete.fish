# fish complete.fish SCRIPT LINE...: what the script offers for each line, after "== LINE".
source $argv[1]
for line in $argv[2..-1]
    echo "== $line"
    complete -C $line | string replace -r '\t.*' ''
end
# Where nothing was offered, that is no failure.
true
