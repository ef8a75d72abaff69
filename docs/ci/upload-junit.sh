# Sends the JUnit files that $FILES names to $ARGUS_URL, a hundred in a request, as reports of $PROJECT, $RUN, $JOB and
# $ATTEMPT, with $ENVIRONMENT, $COMMIT and $BRANCH if they are set. It says what happened and never fails the job.
# The token is handed to curl by its standard input: a command line can be read by everybody on the machine.
shopt -s globstar nullglob
paths=($FILES)
echo "argus: ${#paths[@]} JUnit files"
for ((at = 0; at < ${#paths[@]}; at += 100)); do
    parts=()
    for path in "${paths[@]:at:100}"; do
        quoted=${path//\\/\\\\}
        quoted=${quoted//\"/\\\"}
        parts+=(--form "file=@\"$quoted\";filename=\"$quoted\"")
    done
    query=()
    for pair in "project=$PROJECT" "run=$RUN" "job=$JOB" "attempt=${ATTEMPT:-1}" "environment=$ENVIRONMENT" \
        "commit=$COMMIT" "branch=$BRANCH"; do
        [[ $pair == *= ]] || query+=(--url-query "$pair")
    done
    curl --silent --show-error --max-time 120 --retry 5 --retry-max-time 300 --header @- "${query[@]}" "${parts[@]}" \
        "$ARGUS_URL/api/v1/ingest/junit" <<<"Authorization: Bearer $ARGUS_TOKEN" || echo "argus: not sent"
    echo
done
exit 0
