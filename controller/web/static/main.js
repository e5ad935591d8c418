import "./morph.js";
import "./appearance.js";
import "./times.js";
import "./dialog.js";
import "./filter.js";
import "./problems.js";
import "./live.js";
import "./settings.js";
