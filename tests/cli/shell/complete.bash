# bash complete.bash SCRIPT LINE...: the words that the script offers for each line, after "== LINE".
source "$1"
shift
function=$(complete -p nodens | sed 's/.*-F \([^ ]*\) .*/\1/')
for COMP_LINE in "$@"; do
  echo "== $COMP_LINE"
  COMP_POINT=${#COMP_LINE} COMPREPLY=()
  "$function"
  for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done
done
