"""What a study shows: statistics, tables, sentences, pictures and one page, from its rows alone."""
