"""What `binpickle.trust.sklearn()` trusts, by module: made by make_trust_sets.py, and reviewed."""

from __future__ import annotations

__all__ = ["NAMES"]

NAMES = {
    "numpy": """
    abs absolute amax amin cbrt clip cos exp exp2 expm1 fabs log log10 log1p log2 max mean median min reciprocal
    rint sign sin sqrt square sum tan tanh
    """,
    "scipy._lib.array_api_compat.numpy._aliases": """
    asarray
    """,
    "scipy.interpolate._bsplines": """
    BSpline _BSpline
    """,
    "scipy.sparse._bsr": """
    bsr_array bsr_matrix
    """,
    "scipy.sparse._coo": """
    coo_array coo_matrix
    """,
    "scipy.sparse._csc": """
    csc_array csc_matrix
    """,
    "scipy.sparse._csr": """
    csr_array csr_matrix
    """,
    "scipy.sparse._dia": """
    dia_array dia_matrix
    """,
    "scipy.sparse._dok": """
    dok_array dok_matrix
    """,
    "scipy.sparse._lil": """
    lil_array lil_matrix
    """,
    "scipy.sparse.bsr": """
    bsr_matrix
    """,
    "scipy.sparse.coo": """
    coo_matrix
    """,
    "scipy.sparse.csc": """
    csc_matrix
    """,
    "scipy.sparse.csr": """
    csr_matrix
    """,
    "scipy.sparse.dia": """
    dia_matrix
    """,
    "scipy.sparse.dok": """
    dok_matrix
    """,
    "scipy.sparse.lil": """
    lil_matrix
    """,
    "sklearn._loss._loss": """
    CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss CyHalfMultinomialLoss CyHalfPoissonLoss
    CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity CyHuberLoss CyLossFunction CyPinballLoss
    __pyx_unpickle_CyAbsoluteError __pyx_unpickle_CyExponentialLoss __pyx_unpickle_CyHalfBinomialLoss
    __pyx_unpickle_CyHalfGammaLoss __pyx_unpickle_CyHalfMultinomialLoss __pyx_unpickle_CyHalfPoissonLoss
    __pyx_unpickle_CyHalfSquaredError __pyx_unpickle_CyHalfTweedieLoss __pyx_unpickle_CyHalfTweedieLossIdentity
    __pyx_unpickle_CyHuberLoss __pyx_unpickle_CyLossFunction __pyx_unpickle_CyPinballLoss
    """,
    "sklearn._loss.glm_distribution": """
    DistributionBoundary GammaDistribution PoissonDistribution TweedieDistribution
    """,
    "sklearn._loss.link": """
    BaseLink HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit
    """,
    "sklearn._loss.loss": """
    AbsoluteError BaseLoss ExponentialLoss HalfBinomialLoss HalfBinomialLossArrayAPI HalfGammaLoss
    HalfMultinomialLoss HalfMultinomialLossArrayAPI HalfPoissonLoss HalfPoissonLossArrayAPI HalfSquaredError
    HalfTweedieLoss HalfTweedieLossIdentity HuberLoss PinballLoss
    """,
    "sklearn.base": """
    BaseEstimator
    """,
    "sklearn.calibration": """
    CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration _TemperatureScaling
    """,
    "sklearn.cluster._affinity_propagation": """
    AffinityPropagation
    """,
    "sklearn.cluster._agglomerative": """
    AgglomerativeClustering FeatureAgglomeration
    """,
    "sklearn.cluster._bicluster": """
    BaseSpectral SpectralBiclustering SpectralCoclustering
    """,
    "sklearn.cluster._birch": """
    Birch _CFNode _CFSubcluster
    """,
    "sklearn.cluster._bisect_k_means": """
    BisectingKMeans _BisectingTree
    """,
    "sklearn.cluster._dbscan": """
    DBSCAN
    """,
    "sklearn.cluster._hdbscan.hdbscan": """
    HDBSCAN
    """,
    "sklearn.cluster._kmeans": """
    KMeans MiniBatchKMeans _BaseKMeans _kmeans_single_lloyd
    """,
    "sklearn.cluster._mean_shift": """
    MeanShift
    """,
    "sklearn.cluster._optics": """
    OPTICS
    """,
    "sklearn.cluster._spectral": """
    SpectralClustering
    """,
    "sklearn.compose._column_transformer": """
    ColumnTransformer make_column_selector
    """,
    "sklearn.compose._target": """
    TransformedTargetRegressor
    """,
    "sklearn.covariance._elliptic_envelope": """
    EllipticEnvelope
    """,
    "sklearn.covariance._empirical_covariance": """
    EmpiricalCovariance
    """,
    "sklearn.covariance._graph_lasso": """
    BaseGraphicalLasso GraphicalLasso GraphicalLassoCV _DictWithDeprecatedKeys
    """,
    "sklearn.covariance._robust_covariance": """
    MinCovDet
    """,
    "sklearn.covariance._shrunk_covariance": """
    LedoitWolf OAS ShrunkCovariance
    """,
    "sklearn.cross_decomposition._pls": """
    CCA PLSCanonical PLSRegression PLSSVD _PLS
    """,
    "sklearn.decomposition._base": """
    _BasePCA
    """,
    "sklearn.decomposition._dict_learning": """
    DictionaryLearning MiniBatchDictionaryLearning SparseCoder
    """,
    "sklearn.decomposition._factor_analysis": """
    FactorAnalysis
    """,
    "sklearn.decomposition._fastica": """
    FastICA
    """,
    "sklearn.decomposition._incremental_pca": """
    IncrementalPCA
    """,
    "sklearn.decomposition._kernel_pca": """
    KernelPCA
    """,
    "sklearn.decomposition._lda": """
    LatentDirichletAllocation
    """,
    "sklearn.decomposition._nmf": """
    MiniBatchNMF NMF _BaseNMF
    """,
    "sklearn.decomposition._pca": """
    PCA
    """,
    "sklearn.decomposition._sparse_pca": """
    MiniBatchSparsePCA SparsePCA _BaseSparsePCA
    """,
    "sklearn.decomposition._truncated_svd": """
    TruncatedSVD
    """,
    "sklearn.discriminant_analysis": """
    LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis
    """,
    "sklearn.dummy": """
    DummyClassifier DummyRegressor
    """,
    "sklearn.ensemble._bagging": """
    BaggingClassifier BaggingRegressor BaseBagging
    """,
    "sklearn.ensemble._base": """
    BaseEnsemble _BaseHeterogeneousEnsemble
    """,
    "sklearn.ensemble._forest": """
    BaseForest ExtraTreesClassifier ExtraTreesRegressor ForestClassifier ForestRegressor RandomForestClassifier
    RandomForestRegressor RandomTreesEmbedding
    """,
    "sklearn.ensemble._gb": """
    BaseGradientBoosting GradientBoostingClassifier GradientBoostingRegressor
    """,
    "sklearn.ensemble._gb_losses": """
    BinomialDeviance ClassificationLossFunction ExponentialLoss HuberLossFunction LeastAbsoluteError
    LeastSquaresError LossFunction MultinomialDeviance QuantileLossFunction RegressionLossFunction
    """,
    "sklearn.ensemble._hist_gradient_boosting.binning": """
    _BinMapper
    """,
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": """
    BaseHistGradientBoosting HistGradientBoostingClassifier HistGradientBoostingRegressor
    """,
    "sklearn.ensemble._hist_gradient_boosting.loss": """
    BaseLoss BinaryCrossEntropy CategoricalCrossEntropy LeastAbsoluteDeviation LeastSquares Poisson
    """,
    "sklearn.ensemble._hist_gradient_boosting.predictor": """
    TreePredictor
    """,
    "sklearn.ensemble._iforest": """
    IsolationForest
    """,
    "sklearn.ensemble._stacking": """
    StackingClassifier StackingRegressor _BaseStacking
    """,
    "sklearn.ensemble._voting": """
    VotingClassifier VotingRegressor _BaseVoting
    """,
    "sklearn.ensemble._weight_boosting": """
    AdaBoostClassifier AdaBoostRegressor BaseWeightBoosting
    """,
    "sklearn.feature_extraction._dict_vectorizer": """
    DictVectorizer
    """,
    "sklearn.feature_extraction._hash": """
    FeatureHasher
    """,
    "sklearn.feature_extraction.image": """
    PatchExtractor
    """,
    "sklearn.feature_extraction.text": """
    CountVectorizer HashingVectorizer TfidfTransformer TfidfVectorizer
    """,
    "sklearn.feature_selection._from_model": """
    SelectFromModel
    """,
    "sklearn.feature_selection._mutual_info": """
    mutual_info_classif mutual_info_regression
    """,
    "sklearn.feature_selection._rfe": """
    RFE RFECV
    """,
    "sklearn.feature_selection._sequential": """
    SequentialFeatureSelector
    """,
    "sklearn.feature_selection._univariate_selection": """
    GenericUnivariateSelect SelectFdr SelectFpr SelectFwe SelectKBest SelectPercentile _BaseFilter chi2 f_classif
    f_regression r_regression
    """,
    "sklearn.feature_selection._variance_threshold": """
    VarianceThreshold
    """,
    "sklearn.frozen._frozen": """
    FrozenEstimator
    """,
    "sklearn.gaussian_process._gpc": """
    GaussianProcessClassifier _BinaryGaussianProcessClassifierLaplace
    """,
    "sklearn.gaussian_process._gpr": """
    GaussianProcessRegressor
    """,
    "sklearn.gaussian_process.kernels": """
    CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter Kernel KernelOperator
    Matern PairwiseKernel Product RBF RationalQuadratic Sum WhiteKernel
    """,
    "sklearn.impute._base": """
    MissingIndicator SimpleImputer _BaseImputer
    """,
    "sklearn.impute._iterative": """
    IterativeImputer _ImputerTriplet
    """,
    "sklearn.impute._knn": """
    KNNImputer
    """,
    "sklearn.isotonic": """
    IsotonicRegression
    """,
    "sklearn.kernel_approximation": """
    AdditiveChi2Sampler Nystroem PolynomialCountSketch RBFSampler SkewedChi2Sampler
    """,
    "sklearn.kernel_ridge": """
    KernelRidge
    """,
    "sklearn.linear_model._base": """
    LinearModel LinearRegression MultiOutputLinearModel
    """,
    "sklearn.linear_model._bayes": """
    ARDRegression BayesianRidge
    """,
    "sklearn.linear_model._coordinate_descent": """
    ElasticNet ElasticNetCV Lasso LassoCV LinearModelCV MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso
    MultiTaskLassoCV
    """,
    "sklearn.linear_model._glm.glm": """
    GammaRegressor GeneralizedLinearRegressor PoissonRegressor TweedieRegressor _GeneralizedLinearRegressor
    """,
    "sklearn.linear_model._glm.link": """
    IdentityLink LogLink
    """,
    "sklearn.linear_model._huber": """
    HuberRegressor
    """,
    "sklearn.linear_model._least_angle": """
    Lars LarsCV LassoLars LassoLarsCV LassoLarsIC
    """,
    "sklearn.linear_model._logistic": """
    LogisticRegression LogisticRegressionCV
    """,
    "sklearn.linear_model._omp": """
    OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV
    """,
    "sklearn.linear_model._passive_aggressive": """
    PassiveAggressiveClassifier PassiveAggressiveRegressor
    """,
    "sklearn.linear_model._perceptron": """
    Perceptron
    """,
    "sklearn.linear_model._quantile": """
    QuantileRegressor
    """,
    "sklearn.linear_model._ransac": """
    RANSACRegressor
    """,
    "sklearn.linear_model._ridge": """
    Ridge RidgeCV RidgeClassifier RidgeClassifierCV _BaseRidge _BaseRidgeCV _IdentityClassifier _IdentityRegressor
    _RidgeGCV
    """,
    "sklearn.linear_model._sgd_fast": """
    Classification EpsilonInsensitive Hinge Huber Log LossFunction ModifiedHuber Regression
    SquaredEpsilonInsensitive SquaredHinge SquaredLoss __pyx_unpickle_Classification __pyx_unpickle_LossFunction
    __pyx_unpickle_Regression
    """,
    "sklearn.linear_model._stochastic_gradient": """
    BaseSGD BaseSGDClassifier BaseSGDRegressor SGDClassifier SGDOneClassSVM SGDRegressor
    """,
    "sklearn.linear_model._theil_sen": """
    TheilSenRegressor
    """,
    "sklearn.manifold._classical_mds": """
    ClassicalMDS
    """,
    "sklearn.manifold._isomap": """
    Isomap
    """,
    "sklearn.manifold._locally_linear": """
    LocallyLinearEmbedding
    """,
    "sklearn.manifold._mds": """
    MDS
    """,
    "sklearn.manifold._spectral_embedding": """
    SpectralEmbedding
    """,
    "sklearn.manifold._t_sne": """
    TSNE
    """,
    "sklearn.metrics._classification": """
    accuracy_score balanced_accuracy_score brier_score_loss d2_brier_score d2_log_loss_score f1_score jaccard_score
    log_loss matthews_corrcoef precision_score recall_score
    """,
    "sklearn.metrics._dist_metrics": """
    BrayCurtisDistance BrayCurtisDistance32 BrayCurtisDistance64 CanberraDistance CanberraDistance32
    CanberraDistance64 ChebyshevDistance ChebyshevDistance32 ChebyshevDistance64 DiceDistance DiceDistance32
    DiceDistance64 DistanceMetric DistanceMetric32 DistanceMetric64 EuclideanDistance EuclideanDistance32
    EuclideanDistance64 HammingDistance HammingDistance32 HammingDistance64 HaversineDistance HaversineDistance32
    HaversineDistance64 JaccardDistance JaccardDistance32 JaccardDistance64 KulsinskiDistance KulsinskiDistance32
    KulsinskiDistance64 MahalanobisDistance MahalanobisDistance32 MahalanobisDistance64 ManhattanDistance
    ManhattanDistance32 ManhattanDistance64 MatchingDistance MatchingDistance32 MatchingDistance64 MinkowskiDistance
    MinkowskiDistance32 MinkowskiDistance64 PyFuncDistance PyFuncDistance32 PyFuncDistance64 RogersTanimotoDistance
    RogersTanimotoDistance32 RogersTanimotoDistance64 RussellRaoDistance RussellRaoDistance32 RussellRaoDistance64
    SEuclideanDistance SEuclideanDistance32 SEuclideanDistance64 SokalMichenerDistance SokalMichenerDistance32
    SokalMichenerDistance64 SokalSneathDistance SokalSneathDistance32 SokalSneathDistance64 WMinkowskiDistance
    __pyx_unpickle_DistanceMetric newObj
    """,
    "sklearn.metrics._ranking": """
    average_precision_score roc_auc_score top_k_accuracy_score
    """,
    "sklearn.metrics._regression": """
    d2_absolute_error_score explained_variance_score max_error mean_absolute_error mean_absolute_percentage_error
    mean_gamma_deviance mean_poisson_deviance mean_squared_error mean_squared_log_error median_absolute_error
    r2_score root_mean_squared_error root_mean_squared_log_error
    """,
    "sklearn.metrics._scorer": """
    _BaseScorer _CurveScorer _PassthroughScorer _PredictScorer _ProbaScorer _Scorer _ThresholdScorer
    _passthrough_scorer negative_likelihood_ratio positive_likelihood_ratio
    """,
    "sklearn.metrics.cluster._supervised": """
    adjusted_mutual_info_score adjusted_rand_score completeness_score fowlkes_mallows_score homogeneity_score
    mutual_info_score normalized_mutual_info_score rand_score v_measure_score
    """,
    "sklearn.metrics.pairwise": """
    additive_chi2_kernel chi2_kernel cosine_distances cosine_similarity euclidean_distances haversine_distances
    laplacian_kernel linear_kernel manhattan_distances nan_euclidean_distances polynomial_kernel rbf_kernel
    sigmoid_kernel
    """,
    "sklearn.mixture._base": """
    BaseMixture
    """,
    "sklearn.mixture._bayesian_mixture": """
    BayesianGaussianMixture
    """,
    "sklearn.mixture._gaussian_mixture": """
    GaussianMixture
    """,
    "sklearn.model_selection._classification_threshold": """
    BaseThresholdClassifier FixedThresholdClassifier TunedThresholdClassifierCV
    """,
    "sklearn.model_selection._search": """
    BaseSearchCV GridSearchCV RandomizedSearchCV
    """,
    "sklearn.model_selection._search_successive_halving": """
    BaseSuccessiveHalving HalvingGridSearchCV HalvingRandomSearchCV
    """,
    "sklearn.model_selection._split": """
    BaseCrossValidator BaseShuffleSplit GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut
    LeavePGroupsOut LeavePOut PredefinedSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit
    StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit _BaseKFold _CVIterableWrapper
    _RepeatedSplits
    """,
    "sklearn.multiclass": """
    OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier _ConstantPredictor
    """,
    "sklearn.multioutput": """
    ClassifierChain MultiOutputClassifier MultiOutputRegressor RegressorChain _BaseChain _MultiOutputEstimator
    """,
    "sklearn.naive_bayes": """
    BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB _BaseDiscreteNB _BaseNB
    """,
    "sklearn.neighbors._ball_tree": """
    BallTree BallTree32 BallTree64 BinaryTree BinaryTree32 BinaryTree64 newObj
    """,
    "sklearn.neighbors._base": """
    NeighborsBase
    """,
    "sklearn.neighbors._classification": """
    KNeighborsClassifier RadiusNeighborsClassifier
    """,
    "sklearn.neighbors._distance_metric": """
    DistanceMetric
    """,
    "sklearn.neighbors._graph": """
    KNeighborsTransformer RadiusNeighborsTransformer
    """,
    "sklearn.neighbors._kd_tree": """
    BinaryTree BinaryTree32 BinaryTree64 KDTree KDTree32 KDTree64 newObj
    """,
    "sklearn.neighbors._kde": """
    KernelDensity
    """,
    "sklearn.neighbors._lof": """
    LocalOutlierFactor
    """,
    "sklearn.neighbors._nca": """
    NeighborhoodComponentsAnalysis
    """,
    "sklearn.neighbors._nearest_centroid": """
    NearestCentroid
    """,
    "sklearn.neighbors._regression": """
    KNeighborsRegressor RadiusNeighborsRegressor
    """,
    "sklearn.neighbors._unsupervised": """
    NearestNeighbors
    """,
    "sklearn.neural_network._multilayer_perceptron": """
    BaseMultilayerPerceptron MLPClassifier MLPRegressor
    """,
    "sklearn.neural_network._rbm": """
    BernoulliRBM
    """,
    "sklearn.neural_network._stochastic_optimizers": """
    AdamOptimizer BaseOptimizer SGDOptimizer
    """,
    "sklearn.pipeline": """
    FeatureUnion Pipeline
    """,
    "sklearn.preprocessing._data": """
    Binarizer KernelCenterer MaxAbsScaler MinMaxScaler Normalizer PowerTransformer QuantileTransformer RobustScaler
    StandardScaler
    """,
    "sklearn.preprocessing._discretization": """
    KBinsDiscretizer
    """,
    "sklearn.preprocessing._encoders": """
    OneHotEncoder OrdinalEncoder _BaseEncoder
    """,
    "sklearn.preprocessing._function_transformer": """
    FunctionTransformer
    """,
    "sklearn.preprocessing._label": """
    LabelBinarizer LabelEncoder MultiLabelBinarizer
    """,
    "sklearn.preprocessing._polynomial": """
    PolynomialFeatures SplineTransformer
    """,
    "sklearn.preprocessing._target_encoder": """
    TargetEncoder
    """,
    "sklearn.random_projection": """
    BaseRandomProjection GaussianRandomProjection SparseRandomProjection
    """,
    "sklearn.semi_supervised._label_propagation": """
    BaseLabelPropagation LabelPropagation LabelSpreading
    """,
    "sklearn.semi_supervised._self_training": """
    SelfTrainingClassifier
    """,
    "sklearn.svm._base": """
    BaseLibSVM BaseSVC
    """,
    "sklearn.svm._classes": """
    LinearSVC LinearSVR NuSVC NuSVR OneClassSVM SVC SVR
    """,
    "sklearn.tree._classes": """
    BaseDecisionTree DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor
    """,
    "sklearn.tree._tree": """
    Tree
    """,
    "sklearn.utils._bunch": """
    Bunch
    """,
    "sklearn.utils._metadata_requests": """
    MetadataRequest MetadataRouter MethodMetadataRequest
    """,
    "sklearn.utils.metaestimators": """
    _BaseComposition
    """,
    "sklearn.utils": """
    Bunch
    """,
}
