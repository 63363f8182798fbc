-- take_cells: Take of the budgets of several keys.
select cells, backlog_seconds, total from take_cells($1, $2, $3, $4, $5, $6, $7) order by place;

-- purge_rate_limits: Forget keys whose budgets are full.
select purge_rate_limits($1);
