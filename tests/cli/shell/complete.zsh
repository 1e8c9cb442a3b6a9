# zsh -f complete.zsh SCRIPT LINE...: what the script offers for each line, after "== LINE".
#
# Only a zsh with a terminal completes, so one runs in a pseudo-terminal and keeps what it would show.
zmodload zsh/zpty
found=$(mktemp)
setup=$(mktemp)
cat >$setup <<'INNER'
PROMPT= PS2=
autoload -Uz compinit
compinit -u -D
compadd() {
  # Calls that only look, or put what they find into arrays, offer nothing yet.
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a words
  builtin compadd -O words "$@"
  ((${#words})) && print -rl -- $words >>$found
  builtin compadd "$@"
}
offer() { zle offer-words; print DONE-$((++asked)); }
zle -C offer-words complete-word _main_complete
zle -N offer
bindkey '^I' offer
INNER
zpty shell zsh -f -i
zpty -w shell "found=${(q)found}; source ${(q)setup}; source ${(q)1}; print READY-\$((40 + 2))"
zpty -r shell text '*READY-42*'
shift
for line in "$@"; do
  print -r -- "== $line"
  : >$found
  ((++number))
  zpty -w -n shell "$line"$'\t'
  zpty -r shell text "*DONE-$number*"
  cat $found
  zpty -w -n shell $'\C-u'
done
zpty -d shell
rm -f $found $setup
