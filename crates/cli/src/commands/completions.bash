_sesame() {
    local IFS=$'\013' words=() before='' rest=$COMP_LINE piece=''
    local at trimmed
    # Bash ends words at = and : too. What stands together on the line is one word; `before` is its part
    # that bash keeps.
    for ((at = 0; at <= COMP_CWORD; at++)); do
        trimmed=${rest#"${rest%%[![:space:]]*}"}
        if ((at > 0)) && [[ $trimmed == "$rest" ]]; then before+=$piece; else before='' && words+=(''); fi
        piece=${COMP_WORDS[at]}
        rest=${trimmed#"$piece"}
        if ((at == COMP_CWORD)); then
            if [[ $piece == [=:]* ]]; then before+=$piece && piece=''; else piece=$2; fi
        fi
        words[${#words[@]} - 1]=$before$piece
    done
    COMPREPLY=($(
        SESAME_COMPLETE=bash _CLAP_IFS=$IFS _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) \
            _CLAP_COMPLETE_COMP_TYPE=$COMP_TYPE _CLAP_COMPLETE_SPACE=false sesame -- "${words[@]}" 2>/dev/null
    )) || COMPREPLY=()
    COMPREPLY=("${COMPREPLY[@]#"$before"}")
    [[ ${COMPREPLY-} == *[=/:] ]] || compopt +o nospace 2>/dev/null
}
complete -o nospace -o bashdefault -o nosort -F _sesame sesame 2>/dev/null ||
    complete -o nospace -o bashdefault -F _sesame sesame
